"""Live delivery over real sockets."""
