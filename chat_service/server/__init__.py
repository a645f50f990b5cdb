"""How the application meets the network: bounds of HTTP, processes, signals and the drain.

Owns the listening socket, uvicorn's settings and its hooked classes, the worker processes and what
wraps the application on any server. Knows no domain and never imports the application: `runner` is
handed its import string. Limits of bodies, rights and answers belong to the application.
"""
