"""The programs that HashWorld is compared with, as their users would write them."""
