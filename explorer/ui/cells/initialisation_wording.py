"""What the stored comparison of first weights shows; `tests/cells/test_initialisation.py` holds it to the numbers.

Adam's effective step is about the learning rate at most (Kingma & Ba 2015, arXiv:1412.6980, section 2.1). First
weights are uniform within ±√(6 / (inputs + outputs)) under Xavier (Glorot & Bengio 2010, eq. 16) and ±√(6 / inputs)
under Kaiming (He et al. 2015, eq. 10, for a uniform distribution).
"""

from __future__ import annotations

NAMES = {"xavier": "Xavier", "kaiming": "Kaiming"}

OUTCOMES = """\
- **Haze.** The write-up finds Kaiming hazier than Xavier. So do we: with each of 3 seeds its outlines are less steep,
  in generated cells and in reconstructions. The steepness of generated outlines is 0.136 against 0.177; that of real
  cells is 0.448.
- **Grain.** Small dark spots measure 0.77 in Xavier's generated cells, 6.99 in Kaiming's and 2.15 in real ones. What
  exceeds real cells cannot be granules: it is noise left over from the initialisation. In the output layer
  0.13 is left under Xavier and 0.89 under Kaiming (the cosine between first and last weights: 1 is unchanged, 0
  forgotten). The spectrum cannot tell noise from detail, so a better spectrum does not make Kaiming's cells sharper.
- **ELBO.** On unseen patients Kaiming's is 420.1 nats lower than Xavier's after the first epoch and 260.7 nats lower
  after the last. Over 3 seeds the last difference runs from −260.7 to −246.0 nats.
"""

REASONS = """\
- **At the start** the two differ most in the output layer: under Kaiming its values spread 13.9 times as far (1.00
  against 0.0721). Kaiming sizes a weight by the layer's inputs alone (64), Xavier by inputs and outputs together
  (12,352), so that Kaiming's weights are √(12,352 / 64) = 13.9 times as large.
- **Gradients** by layer are 1.1 to 73.3 times as large under Kaiming as under Xavier at the start, and 0.8 to 1.5
  times after 10 epochs.
- **Batch norm** follows each hidden layer and divides by the spread it finds. So the size of those layers' weights
  hardly affects what comes after them; the layers without it (mean, log variance, output) pass it on.
- **Why it lasts.** A step of Adam moves a weight by about the learning rate at most, so all steps of this run together
  by about 0.27. The weights of the output layer start anywhere within ±0.022 under Xavier and within ±0.31 under
  Kaiming: the largest of Kaiming's are out of reach.
- **After 10 epochs** the values of that layer spread 1.1 times as far under Xavier as under Kaiming (1.98 against
  1.81).
"""
