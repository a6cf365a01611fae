"""From what a user types after `--data` to a data set."""

from pathlib import Path

from mobisdk.data.dataset import Dataset
from mobisdk.errors import DataError, UnsupportedError

DIGITS = "digits"


def open_dataset(source: str | Path) -> Dataset:
    """Open `digits`, a folder of class folders, Parquet, or WebDataset shards; images are read and hashed, not decoded.

    Raises:
        UnsupportedError: it is a URL.
        DataError: there is no such data, or it cannot be trained with and tested on.
    """
    if source == DIGITS:
        from mobisdk.data.digits import open_digits

        return open_digits()
    refuse_url(str(source))
    path = Path(source)
    try:
        if not path.exists():
            raise DataError(
                "there is no such data", got=str(source), allowed="digits, a folder of class folders, a Parquet file"
            )
        if path.suffix == ".parquet" or any(path.glob("*.parquet")):
            from mobisdk.data.parquet import open_parquet

            return open_parquet(path)
        if path.suffix == ".tar" or any(path.glob("*.tar")):
            from mobisdk.data.webdataset import open_shards

            return open_shards(path)
        if path.is_dir():
            from mobisdk.data.folder import open_folder

            return open_folder(path)
    except OSError as error:
        raise DataError(f"the data cannot be read ({error.strerror or error})", got=str(source)) from error
    raise DataError(
        "data is neither a folder nor Parquet nor WebDataset shards", got=str(source), hint="Unpack an archive first"
    )


def refuse_url(source: str) -> None:
    """Say so before a URL is taken for a path.

    Raises:
        UnsupportedError: it is one.
    """
    if "://" in source:
        raise UnsupportedError(
            "data is read from a disk, not from a URL",
            got=source,
            allowed="digits, or a path, on a cluster one that every machine has",
            hint="Download it, or mount the bucket as a folder",
        )
