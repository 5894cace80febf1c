"""Geometric multigrid on grids: the frame, the hierarchies of planes and of spaces, and their smoothers."""
