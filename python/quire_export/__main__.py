"""Lets `python -m quire_export` do what `quire-export` does."""

import sys

from quire_export.cli import main

sys.exit(main())
