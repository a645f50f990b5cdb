"""A small world around the feed: a log, gateways, a broker and clients, on a virtual clock."""
