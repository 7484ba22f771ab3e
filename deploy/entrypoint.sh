#!/bin/sh
# Serves the run in RUN_FOLDER, the run baked into the image, the pretrained model MODEL_NAME, or the
# bundled model: the first of these that is set. Arguments are passed to `gpt2-helpers serve`.
set -eu

here=$(dirname "$0")
folder=${RUN_FOLDER:-$here/checkpoint/${BAKED_RUN:-none}}
if [ -n "${RUN_FOLDER:-}" ] || [ -f "$folder/hparams.json" ]; then
    set -- --checkpoint-dir "$(dirname "$folder")" --run-name "$(basename "$folder")" "$@"
elif [ -n "${MODEL_NAME:-}" ]; then
    set -- --model-name "$MODEL_NAME" --model-dir /tmp/models "$@"
fi
exec gpt2-helpers serve --host 0.0.0.0 "$@"
