"""The system of record: documents, versions, page texts and generations, in SQL."""
