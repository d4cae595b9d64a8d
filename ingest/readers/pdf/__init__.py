"""The PDF reader: structure by pypdf, text and boxes by PDFium, scans by Tesseract."""
