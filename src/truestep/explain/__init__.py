"""What one step did and why: the causes of every change, the samples and the modules behind it."""
