# SPDX-License-Identifier: Apache-2.0
"""Makes what data/golden_test.cc compares with, from transformers, tokenizers and sentencepiece.

Three small vocabularies are trained here and kept whole: small.model (SentencePiece BPE with byte fallback) and
small_bpe/ (byte-level BPE: tokenizer.json, and the same as vocab.json with merges.txt), and small_spaces_bpe.json (BPE
of Gemma's kind). Of the large ones only ids are kept:
gemma3.json and gpt2.json. The fuzz targets' corpora of tokenizers are made here too.

    python data/testdata/make_golden.py [--gemma FILE.gguf] [--gpt2 FOLDER]

FILE.gguf is Gemma 3 270M; FOLDER holds GPT-2's vocab.json and merges.txt.
"""
import argparse
import contextlib
import json
import pathlib
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
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

    # The model keeps the names that it was trained with: those without folders say nothing of this machine.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        pathlib.Path("corpus.txt").write_text(FIRST_WORDS * 20 + "".join(page_text(path) for path in PAGES))
        sentencepiece.SentencePieceTrainer.train(
            input="corpus.txt", model_prefix="small", vocab_size=700, model_type="bpe",
            byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
            add_dummy_prefix=False, split_digits=True, character_coverage=0.98,
            control_symbols=["<start_of_turn>", "<end_of_turn>"],
            user_defined_symbols=["\n", "\n\n", "\t", "\u2581\u2581", "\u2581\u2581\u2581\u2581", "<table>"],
            minloglevel=2)
        (HERE / "small.model").write_bytes(pathlib.Path("small.model").read_bytes())
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


def make_small_spaces_bpe():
    import tokenizers
    from tokenizers import decoders, models, normalizers, trainers

    trained = tokenizers.Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", "\u2581")
    trainer = trainers.BpeTrainer(vocab_size=500, limit_alphabet=120, show_progress=False)
    lines = (FIRST_WORDS * 20 + "".join(page_text(path) for path in PAGES)).splitlines(keepends=True)
    trained.train_from_iterator(lines, trainer)
    model = json.loads(trained.to_str())["model"]
    vocab = {token: place for place, token in enumerate(
        ["<bos>", "<start_of_turn>"] + [f"<0x{byte:02X}>" for byte in range(256)] + list(model["vocab"]))}
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab, merges, byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(["<bos>", "<start_of_turn>"])
    tokenizer.save(str(HERE / "small_spaces_bpe.json"), pretty=False)
    write_ids("small_spaces_bpe_ids.json", lambda text: tokenizer.encode(text).ids)


def make_gemma(gguf_path):
    from transformers import AutoTokenizer

    path = pathlib.Path(gguf_path)
    tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
    write_ids("gemma3.json", lambda text: tokenizer(text).input_ids)


def make_gpt2(folder):
    from transformers import GPT2Tokenizer

    tokenizer = GPT2Tokenizer(f"{folder}/vocab.json", f"{folder}/merges.txt")
    write_ids("gpt2.json", lambda text: tokenizer(text).input_ids)


def corpus_file(target, name):
    folder = HERE.parent / "fuzz_corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


# Replaying a corpus takes a parse for each of its bytes: these are as small as they can be.
TINY_VOCAB = {"<|endoftext|>": 0, "a": 1, "b": 2, "\u0120": 3, "\u010a": 4, "ab": 5, "\u0120a": 6}
TINY_MERGES = ["a b", "\u0120 a"]


def make_tokenizer_json_corpus():
    byte_level = {
        "added_tokens": [{"id": 0, "content": "<|endoftext|>", "special": True}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "model": {"type": "BPE", "vocab": TINY_VOCAB, "merges": TINY_MERGES}}
    spaces = {
        "added_tokens": [{"id": 0, "content": "<s>", "special": True}],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}]},
        "model": {"type": "BPE", "byte_fallback": True, "merges": [["a", "b"]],
                  "vocab": {"<s>": 0, "a": 1, "b": 2, "\u2581": 3, "ab": 4, "\n": 5, "<0xC3>": 6, "<0xA9>": 7}}}
    other = {"model": {"type": "WordPiece", "vocab": {"a": 0}}}
    hole = {"pre_tokenizer": {"type": "ByteLevel"}, "model": {"vocab": {"a": 0, "b": 4294967295}, "merges": ["a c"]}}
    for name, value in {"bytes": byte_level, "spaces": spaces, "word_piece": other, "hole": hole}.items():
        corpus_file("hf_tokenizer_json", name).write_text(json.dumps(value, ensure_ascii=False))


def make_vocab_and_merges_corpus():
    vocab = json.dumps(TINY_VOCAB, ensure_ascii=False)
    good = vocab + "\0#version: 0.2\n" + "\n".join(TINY_MERGES) + "\n"
    cases = {"good": good, "no_merges": vocab, "three": vocab + "\0a b c\n", "no_token": vocab + "\0b a\r\n\n"}
    for name, text in cases.items():
        corpus_file("vocab_and_merges", name).write_text(text)


TINY_PIECES = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3), ("\u2581", -4.0, 1), ("a", -2.0, 1),
               ("b", -3.0, 1), ("ab", -1.0, 1), ("\n", 0.0, 4), ("\u2581b", -1.5, 1), ("\u00e9", -9.0, 5)]


def make_sentencepiece_corpus():
    from sentencepiece import sentencepiece_model_pb2 as proto

    kinds = [("unigram", 1, True), ("bpe", 2, False), ("word", 3, True), ("char", 4, False)]
    for name, model_type, dummy_prefix in kinds:
        model = proto.ModelProto()
        for text, score, kind in TINY_PIECES:
            model.pieces.add(piece=text, score=score, type=kind)
        model.trainer_spec.model_type = model_type
        model.trainer_spec.vocab_size = len(TINY_PIECES)
        model.normalizer_spec.add_dummy_prefix = dummy_prefix
        model.normalizer_spec.remove_extra_whitespaces = name == "unigram"
        if name == "char":
            # A trie without entries, and one replacement.
            model.normalizer_spec.precompiled_charsmap = (1024).to_bytes(4, "little") + bytes(1024) + b"a\0"
        corpus_file("sentencepiece_model", name).write_bytes(model.SerializeToString())


def write_gguf(name, model, fill):
    import gguf

    writer = gguf.GGUFWriter(None, "llama", use_temp_file=False)
    writer.kv_data[0].clear()
    writer.add_tokenizer_model(model)
    fill(writer)
    path = corpus_file("gguf_vocabulary", name)
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()


def make_gguf_corpus():
    def pieces(writer):
        writer.add_token_list([text.replace("\u2581", " ") if kind == 4 else text for text, _, kind in TINY_PIECES])
        writer.add_token_scores([score for _, score, _ in TINY_PIECES])
        writer.add_token_types([kind for _, _, kind in TINY_PIECES])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_add_space_prefix(False)

    def merges(writer):
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(list(TINY_VOCAB))
        writer.add_token_types([3] + [1] * (len(TINY_VOCAB) - 1))
        writer.add_token_merges(TINY_MERGES)
        writer.add_eos_token_id(0)

    write_gguf("pieces", "llama", pieces)
    write_gguf("merges", "gpt2", merges)
    write_gguf("empty", "llama", lambda writer: None)
    write_gguf("other", "bert", merges)


def make_fuzz_corpora():
    make_tokenizer_json_corpus()
    make_vocab_and_merges_corpus()
    make_sentencepiece_corpus()
    make_gguf_corpus()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gemma", metavar="FILE.gguf")
    parser.add_argument("--gpt2", metavar="FOLDER")
    arguments = parser.parse_args()
    make_small_sentencepiece()
    make_small_bpe()
    make_small_spaces_bpe()
    make_fuzz_corpora()
    if arguments.gemma:
        make_gemma(arguments.gemma)
    if arguments.gpt2:
        make_gpt2(arguments.gpt2)


if __name__ == "__main__":
    main()
