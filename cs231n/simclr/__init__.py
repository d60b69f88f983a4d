"""The course's PyTorch modules of SimCLR; the loss is derived at `cs231n.losses.contrastive`."""
