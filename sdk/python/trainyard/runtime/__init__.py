"""What runs beside the user's script on a node: the shim that parents a gang, and the wrapper that becomes a rank."""
