"""HTTP callbacks: servers of the operator are asked who may publish and play, and told what happens."""
