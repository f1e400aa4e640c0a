"""Pages of a PDF from standard input to their pixels on standard output.

A program of its own, not a module to import: what a hostile document does to it stays there.
Arguments: pixels of an inch, the most pages, the longest side in pixels. A page that is larger is
made smaller, as scanners state odd sizes. Of each page leave width and height as 32-bit words in
the machine's order, then its pixels RGB. Nothing in a document is executed: PDFium is built
without JavaScript, and forms are not drawn.
"""

import sys

import numpy as np
import pypdfium2


def main() -> None:
    """Render; any failure, a crash included, is an exit status other than 0."""
    per_inch, most_pages, longest = map(int, sys.argv[1:])
    document = pypdfium2.PdfDocument(sys.stdin.buffer.read())
    for number in range(min(len(document), most_pages)):
        page = document[number]
        scale = min(per_inch / 72, longest / max(page.get_size()))
        bitmap = page.render(scale=scale, rev_byteorder=True, may_draw_forms=False)
        pixels = np.ascontiguousarray(bitmap.to_numpy()[..., :3])
        size = np.array([pixels.shape[1], pixels.shape[0]], np.uint32)
        sys.stdout.buffer.write(size.tobytes() + pixels.tobytes())


if __name__ == "__main__":
    main()
