"""The network that tells views of films apart: trained on the phantom."""
