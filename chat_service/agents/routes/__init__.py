"""What agents are asked over HTTP: a file for each concept."""
