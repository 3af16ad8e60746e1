"""`python -m truestep` is the command `truestep`."""

from truestep.cli.main import main

raise SystemExit(main())
