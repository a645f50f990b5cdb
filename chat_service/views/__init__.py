"""An event with its resource, rendered for staff or for customers, and the pages of the log."""
