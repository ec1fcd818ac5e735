"""How an image is computed: the plan and the backends."""
