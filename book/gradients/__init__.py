"""The mathematics of the book in NumPy alone: no plotting, no widgets, no files.

activations   elementwise functions with their derivatives            (chapters 1, 2 and 6)
losses        squared error, softmax cross-entropy                    (all chapters)
deep          a fully connected net: forward, backward, Jacobians     (chapters 1 and 2)
rnn           a recurrent net: forward, gradients through time, lags  (chapters 3, 4 and 5)
clipping      gradients clipped by norm and by value                  (chapter 5)
tasks         sequences that take memory: agreement                   (chapters 4 and 5)
check         gradients checked by central differences                (chapter 1)
validation    checks of arguments; overflow and NaN
"""
