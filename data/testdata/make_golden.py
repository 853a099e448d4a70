# SPDX-License-Identifier: Apache-2.0
"""Makes what data/golden_test.cc compares with, from transformers, tokenizers and sentencepiece.

Two small vocabularies are trained here and kept whole: small.model (SentencePiece BPE with byte fallback) and small_bpe/
(byte-level BPE: tokenizer.json, and the same as vocab.json with merges.txt). Of the large ones only ids are kept:
gemma3.json and gpt2.json.

    python data/testdata/make_golden.py [--gemma FILE.gguf] [--gpt2 FOLDER]

FILE.gguf is Gemma 3 270M; FOLDER holds GPT-2's vocab.json and merges.txt.
"""
import argparse
import json
import pathlib
import tempfile

HERE = pathlib.Path(__file__).parent
PAGES = sorted((HERE / "pages").glob("*.txt"))

# Trained on, beside the pages, so that common words become tokens.
FIRST_WORDS = "In the beginning God created the heaven and the earth. "


def page_text(path):
    return path.read_bytes().decode("utf-8")


def ids_of_pages(encode):
    return {path.stem: encode(page_text(path)) for path in PAGES}


def write_ids(name, encode):
    (HERE / name).write_text(json.dumps(ids_of_pages(encode), separators=(",", ":")) + "\n")


def make_small_sentencepiece():
    import sentencepiece

    with tempfile.TemporaryDirectory() as folder:
        corpus = pathlib.Path(folder) / "corpus.txt"
        corpus.write_text(FIRST_WORDS * 20 + "".join(page_text(path) for path in PAGES))
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(HERE / "small"), vocab_size=700, model_type="bpe",
            byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
            add_dummy_prefix=False, split_digits=True, character_coverage=0.98,
            control_symbols=["<start_of_turn>", "<end_of_turn>"],
            user_defined_symbols=["\n", "\n\n", "\t", "\u2581\u2581", "\u2581\u2581\u2581\u2581", "<table>"],
            minloglevel=2)
    (HERE / "small.vocab").unlink()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(HERE / "small.model"))
    write_ids("small_sentencepiece.json", processor.encode)


def make_small_bpe():
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, trainers

    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False)
    tokenizer.train_from_iterator([FIRST_WORDS * 20] + [page_text(path) for path in PAGES], trainer)
    folder = HERE / "small_bpe"
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    tokenizer.model.save(str(folder))
    write_ids("small_bpe.json", lambda text: tokenizer.encode(text).ids)


def make_gemma(gguf_path):
    from transformers import AutoTokenizer

    path = pathlib.Path(gguf_path)
    tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
    write_ids("gemma3.json", lambda text: tokenizer(text).input_ids)


def make_gpt2(folder):
    from transformers import GPT2Tokenizer

    tokenizer = GPT2Tokenizer(f"{folder}/vocab.json", f"{folder}/merges.txt")
    write_ids("gpt2.json", lambda text: tokenizer(text).input_ids)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gemma", metavar="FILE.gguf")
    parser.add_argument("--gpt2", metavar="FOLDER")
    arguments = parser.parse_args()
    make_small_sentencepiece()
    make_small_bpe()
    if arguments.gemma:
        make_gemma(arguments.gemma)
    if arguments.gpt2:
        make_gpt2(arguments.gpt2)


if __name__ == "__main__":
    main()
