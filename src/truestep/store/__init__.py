"""What truestep keeps on disk: files that survive a crash, weights, and one database a run."""
