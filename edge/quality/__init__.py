"""What viewers of a stream live through: what their players report, and to which node they are sent."""
