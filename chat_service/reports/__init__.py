"""Figures of what happened, kept by followers of the log and never counted when somebody asks."""
