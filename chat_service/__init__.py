"""chat-service: a customer-support chat backend that keeps every acknowledged message, once, in order."""
