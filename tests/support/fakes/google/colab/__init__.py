"""A stand-in for google.colab, with its signatures and no network.

Put tests/support/fakes on PYTHONPATH, set COLAB_RELEASE_TAG to anything and GPT2_DRIVE_MOUNT to
the folder that Drive is mounted on. There is no `google/__init__.py` here, so that google.cloud is
found beside it.
What it plays is told by environment variables:

FAKE_COLAB_DRIVE           the folder that is Google's side of Drive; needed for mounting
FAKE_COLAB_MOUNT_REFUSED   1: the user does not allow the access
FAKE_COLAB_QUOTA           bytes that may be written to the mounted Drive, then errno 5
FAKE_COLAB_SLOW            1: what is written reaches Google's side only by flush_and_unmount
FAKE_COLAB_LAG             a number: so many archives are still on their way to Google's side, the
                           first of them half; flush_and_unmount sends all
FAKE_COLAB_UPLOADS         a folder: files.upload takes every file in it
FAKE_COLAB_DOWNLOADS       a folder: files.download puts the file there, as a browser does
FAKE_COLAB_SIGN_IN_REFUSED 1: auth.authenticate_user fails
FAKE_COLAB_SECRET_NAME     the value of the secret NAME
"""
