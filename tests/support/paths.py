"""Where the checkout and the test data are."""

from pathlib import Path

ROOT = Path(__file__).parents[2]  # the checkout
SUPPORT = Path(__file__).parent  # helper modules; also on the path of processes that tests start
GOLDEN = SUPPORT / "golden"  # outputs of other programs, each with the script that made it
FAKES = SUPPORT / "fakes"  # stand-ins for packages that cannot be installed
SHARED = ROOT.parent / "shared"  # public texts and vocabularies, where there is such a folder
