"""The mathematics of the book in NumPy alone: no plotting, no widgets, no files.

activations   elementwise functions with their derivatives            (chapters 1, 2 and 6)
deep          a fully connected net: forward, backward, Jacobians     (chapters 1 and 2)
check         gradients checked by central differences                (chapter 1)
validation    checks of arguments
"""
