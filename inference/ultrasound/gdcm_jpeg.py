"""One JPEG frame of 12 or 16 bits from standard input to its samples on standard output.

A program of its own, not a module to import: GDCM, the only permissive decoder of such frames,
aborts the process on some damaged ones. Arguments: transfer syntax UID, rows, columns, samples per
pixel, precision in bits. Samples leave as 16-bit words in the machine's order, colour by pixel.
"""

import sys

import gdcm


def main() -> None:
    """Decode; any failure, an abort included, is a return code other than 0."""
    rows, columns, samples, precision = map(int, sys.argv[2:])
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(sys.stdin.buffer.read())
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())

    # A label of RGB keeps GDCM from converting colours; what they are is not its business.
    label = gdcm.PhotometricInterpretation.RGB
    if samples == 1:
        label = gdcm.PhotometricInterpretation.MONOCHROME2
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(label))
    image.SetPlanarConfiguration(0)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(sys.argv[1])))
    image.SetPixelFormat(gdcm.PixelFormat(samples, 16, precision, precision - 1, 0))

    # GDCM gives bytes as text, one surrogate for each that is no UTF-8.
    sys.stdout.buffer.write(image.GetBuffer().encode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    main()
