"""Abbreviations of medicine and what they stand for, so that a query with the one finds texts with the other.

Only when asked for: `search(query, expand=True)`. One more abbreviation is one more line. Leave out what stands for
several things ("MS", "PT"): it would find texts on all of them.
"""

import re

MEANINGS = {
    "ADHD": "attention deficit hyperactivity disorder",
    "AKI": "acute kidney injury",
    "ALS": "amyotrophic lateral sclerosis",
    "AML": "acute myeloid leukemia",
    "ARDS": "acute respiratory distress syndrome",
    "BMI": "body mass index",
    "BRCA": "breast cancer gene",
    "CABG": "coronary artery bypass grafting",
    "CAD": "coronary artery disease",
    "CBT": "cognitive behavioral therapy",
    "CKD": "chronic kidney disease",
    "COPD": "chronic obstructive pulmonary disease",
    "COVID-19": "coronavirus disease 2019",
    "CRP": "C-reactive protein",
    "CVD": "cardiovascular disease",
    "DVT": "deep vein thrombosis",
    "ECG": "electrocardiogram",
    "EEG": "electroencephalogram",
    "ESRD": "end stage renal disease",
    "GERD": "gastroesophageal reflux disease",
    "GFR": "glomerular filtration rate",
    "HbA1c": "glycated hemoglobin",
    "HIV": "human immunodeficiency virus",
    "HPV": "human papillomavirus",
    "HRT": "hormone replacement therapy",
    "IBD": "inflammatory bowel disease",
    "ICU": "intensive care unit",
    "LDL": "low density lipoprotein",
    "LVEF": "left ventricular ejection fraction",
    "MRI": "magnetic resonance imaging",
    "MRSA": "methicillin resistant Staphylococcus aureus",
    "NAFLD": "nonalcoholic fatty liver disease",
    "NSAID": "nonsteroidal anti-inflammatory drug",
    "NSCLC": "non-small cell lung cancer",
    "OCD": "obsessive compulsive disorder",
    "PCOS": "polycystic ovary syndrome",
    "PTSD": "posttraumatic stress disorder",
    "RCT": "randomized controlled trial",
    "SLE": "systemic lupus erythematosus",
    "SSRI": "selective serotonin reuptake inhibitor",
    "T2D": "type 2 diabetes",
    "TIA": "transient ischemic attack",
    "UTI": "urinary tract infection",
    "VTE": "venous thromboembolism",
}


def expanded(query: str) -> str:
    """The query, followed by what its abbreviations mean, and by abbreviations of what it says in full.

    Abbreviations count as they are written here, with an "s" after them, too: "als" may be a name. Each is added
    once, and nothing that is there already.
    """
    added = []
    for short, meaning in MEANINGS.items():
        has_short = _stands(f"{re.escape(short)}s?", query)
        has_meaning = _stands(f"{_words(meaning)}s?", query, re.IGNORECASE)
        if has_short and not has_meaning:
            added.append(meaning)
        elif has_meaning and not has_short:
            added.append(short)
    return " ".join([query, *added])


def _stands(pattern: str, text: str, flags: int = 0) -> bool:
    return re.search(rf"(?<!\w){pattern}(?!\w)", text, flags) is not None


def _words(meaning: str) -> str:
    """Its words, with white space or a hyphen between them."""
    return r"[\s-]+".join(re.escape(word) for word in re.split(r"[\s-]+", meaning))
