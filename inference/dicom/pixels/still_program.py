"""Codestreams of single frames from standard input to their samples on standard output.

A program of its own, not a module to import: it runs decoders that are new, or whose like damaged
frames have broken before. Arguments: `jpeg` or `jpeg-xl`, rows, columns, samples per pixel, then
the length of every codestream in bytes. Samples leave as 16-bit words in the machine's order,
colour by pixel.
"""

import sys

import imagecodecs
import numpy as np


def main() -> None:
    """Decode; any failure, a crash included, is an exit status other than 0."""
    coding = sys.argv[1]
    rows, columns, samples, *lengths = map(int, sys.argv[2:])
    shape = (rows, columns, 3)[: 2 if samples == 1 else 3]
    for length in lengths:
        codestream = sys.stdin.buffer.read(length)
        if coding == "jpeg":
            # The colours stay as they are stored: what they are is not this program's business.
            stored = {1: "GRAYSCALE", 3: "RGB"}[samples]
            decoded = imagecodecs.jpeg8_decode(codestream, colorspace=stored, outcolorspace=stored)
        else:
            decoded = imagecodecs.jpegxl_decode(codestream, index=0, numthreads=1)
        if decoded.shape != shape or decoded.dtype.kind != "u":
            sys.exit("the samples are others than the header says")
        sys.stdout.buffer.write(decoded.astype(np.uint16).tobytes())


if __name__ == "__main__":
    main()
