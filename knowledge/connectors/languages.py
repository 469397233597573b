"""Language codes as MEDLINE and others write them."""

#: ISO 639-2 codes of the languages that papers are written in, and their two letters.
_TWO_LETTERS = dict(
    pair.split("=")
    for pair in [
        "afr=af",
        "alb=sq",
        "ara=ar",
        "arm=hy",
        "aze=az",
        "bos=bs",
        "bul=bg",
        "cat=ca",
        "chi=zh",
        "cze=cs",
        "dan=da",
        "dut=nl",
        "eng=en",
        "epo=eo",
        "est=et",
        "fin=fi",
        "fre=fr",
        "geo=ka",
        "ger=de",
        "glg=gl",
        "gre=el",
        "heb=he",
        "hin=hi",
        "hrv=hr",
        "hun=hu",
        "ice=is",
        "ind=id",
        "ita=it",
        "jpn=ja",
        "kor=ko",
        "lat=la",
        "lav=lv",
        "lit=lt",
        "mac=mk",
        "may=ms",
        "nor=no",
        "per=fa",
        "pol=pl",
        "por=pt",
        "rum=ro",
        "rus=ru",
        "slo=sk",
        "slv=sl",
        "spa=es",
        "srp=sr",
        "swe=sv",
        "tha=th",
        "tur=tr",
        "ukr=uk",
        "vie=vi",
        "wel=cy",
    ]
)
_THREE_LETTERS = {two: three for three, two in _TWO_LETTERS.items()}


def two_letters(code: str) -> str:
    """The code in lower case, of two letters where there is such a one; "" for "und" and "mul", which name none."""
    code = code.strip().lower().replace("_", "-")
    if code in {"und", "mul"}:
        return ""
    return _TWO_LETTERS.get(code, code.partition("-")[0])[:20]


def three_letters(code: str) -> str:
    """The code as MEDLINE has it."""
    return _THREE_LETTERS.get(code.lower(), code.lower())
