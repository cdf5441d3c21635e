"""The worlds: environments that implement the protocol of `tasks`; the registry alone knows them by name."""
