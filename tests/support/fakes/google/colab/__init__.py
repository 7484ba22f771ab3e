"""A fake google.colab with the same signatures, without a network.

To use it, add tests/support/fakes to PYTHONPATH, set COLAB_RELEASE_TAG to any value and
GPT2_DRIVE_MOUNT to the mount point of Drive. There is no `google/__init__.py` here, because it
would hide google.cloud. Environment variables control its behaviour:

FAKE_COLAB_DRIVE           folder with the contents of Drive; needed for mounting
FAKE_COLAB_MOUNT_REFUSED   1: the user denies the permission
FAKE_COLAB_QUOTA           bytes that can be written to the mounted Drive before errno 5
FAKE_COLAB_SLOW            1: written files are uploaded only by flush_and_unmount
FAKE_COLAB_LAG             number of archives whose upload is incomplete; half of the first of
                           them is uploaded; flush_and_unmount uploads all
FAKE_COLAB_UPLOADS         folder whose files files.upload returns
FAKE_COLAB_DOWNLOADS       folder where files.download saves files, like a browser
FAKE_COLAB_SIGN_IN_REFUSED 1: auth.authenticate_user fails
FAKE_COLAB_SECRET_NAME     value of the secret NAME
"""
