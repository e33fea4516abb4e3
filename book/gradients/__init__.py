"""The mathematics of the book in NumPy alone: no plotting, no widgets, no files.

activations   elementwise functions with their derivatives            (chapters 1, 2 and 6)
losses        squared error, softmax cross-entropy                    (all chapters)
deep          a fully connected net: forward, backward, Jacobians     (chapters 1 and 2)
rnn           a recurrent net: forward, gradients through time, lags  (chapters 3, 4 and 5)
lstm          long short-term memory: gradients taken apart by paths  (chapter 9)
gru           gated recurrent units, in their four variants           (chapter 10)
initialisers  first weights: Xavier, Kaiming, orthogonal, identity    (chapter 7)
layers        nets from layers: normalisation, dropout, residuals     (chapter 8)
clipping      gradients clipped by norm and by value                  (chapter 5)
optimisers    SGD with momentum, Adam                                 (chapter 7)
regularisers  L1, L2, the vanishing-gradient penalty                  (chapter 7)
training      a training loop and its record                          (chapters 7 and 8)
pretraining   layer by layer, as autoencoders                         (chapter 7)
tasks         sequences that take memory: agreement                   (chapters 4 and 5)
check         gradients checked by central differences                (chapter 1)
sequences     what rnn, lstm and gru share
validation    checks of arguments; overflow and NaN
"""
