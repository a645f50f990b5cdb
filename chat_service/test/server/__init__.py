"""Tests of the network side: each on a real socket, with small applications of their own."""
