"""Arrays and tables as sources of images: `.npz`, `.npy`, IDX, `.csv`, `.parquet` and WebDataset's `.tar`.

`formats.py` reads what a file holds, by name; `roles.py` guesses which of it is image, label, group or split;
`pixels.py` makes pictures of arrays; `records.py` puts rows together to what a folder of pictures gives. Nothing is
ever unpickled, what a header claims is compared with the file's size before memory is taken, and `reading.py` has files
read by the processes that decode pictures.
"""
