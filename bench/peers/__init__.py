"""What the service is measured against. These stay as they are while the service gets faster."""
