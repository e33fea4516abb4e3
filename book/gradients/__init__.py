"""The mathematics of the book in NumPy alone: no plotting, no widgets, no files.

Module, what is in it, and the chapters that use it, in their cells or in the experiment that they show:

activations   elementwise functions with their derivatives            2, 4, 6, 7, 8
losses        squared error, softmax cross-entropy                    1, 3, 4, 5, 6, 7, 11, 12
deep          a fully connected net: forward, backward, Jacobians     1, 2, 4, 6, 7
rnn           a recurrent net: forward, gradients through time, lags  3, 4, 5, 6, 7, 9, 11, 12, 13
stacked       recurrent layers, one on another: gradients, lags      3
lstm          long short-term memory: gradients taken apart by paths  9, 10, 11, 12
gru           gated recurrent units, in their four variants           10, 11, 12
initialisers  first weights: Xavier, Kaiming, orthogonal, identity    6, 7, 11
layers        nets from layers: normalisation, dropout, residuals     7, 8, 13
clipping      gradients clipped by norm, by value, by unit                 5, 12
optimisers    SGD with momentum, Adam                                 7, 11
regularisers  L1, L2, the vanishing-gradient penalty                  7
training      a training loop and its record                          7, 8, 11
pretraining   layer by layer, as autoencoders                         7
tasks         sequences that take memory, such as agreement           4, 5, 7, 11, 12
check         gradients checked by central differences                1, 2, 3, 5, 6, 7, 8, 9, 10, 13
many          rnn, lstm and gru for many nets side by side
recurrent     what rnn, lstm and gru share
validation    checks of arguments; overflow and NaN
"""
