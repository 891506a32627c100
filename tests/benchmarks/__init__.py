"""`make bench`: what a patch night costs in CPU, beside the usual ways to do the same (docs/explanation/speed.md)."""
