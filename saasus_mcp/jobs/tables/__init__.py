"""Tables as people have them: files of spreadsheets, headings, cells. It knows no kind of job."""
