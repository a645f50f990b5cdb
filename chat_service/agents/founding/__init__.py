"""A new workspace with its first owner, who is invited: an act of whoever runs the installation."""
