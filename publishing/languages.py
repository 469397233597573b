"""What has to be known about a language to count and choose its words. Small lists, no grammar."""

from dataclasses import dataclass

#: What the tag of a language looks like, such as "en" or "de-AT".
TAG = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"


@dataclass(frozen=True)
class Language:
    """Word lists in lower case. A language that is not listed has empty ones."""

    code: str
    #: Words that say nothing about a text.
    stop_words: frozenset[str] = frozenset()
    #: Verbs and adverbs of headlines, and adjectives such as "new": no part of a noun phrase worth naming.
    headline_words: frozenset[str] = frozenset()
    #: Words that join two nouns to one idea, as in "Bank of England".
    joining_words: frozenset[str] = frozenset()
    #: Whether every noun has a capital.
    has_capital_nouns: bool = False
    #: Whether the noun comes before what describes it.
    is_head_first: bool = False
    #: Written with a full stop that ends no sentence; without that stop.
    abbreviations: frozenset[str] = frozenset()
    #: Words at the beginning of a sentence that lean on the sentence before.
    leaning_words: frozenset[str] = frozenset()
    #: Whether "3." means "third", so that it ends no sentence.
    has_ordinal_dots: bool = False

    def is_stop_word(self, word: str) -> bool:
        """Whether a word says nothing; where there is no list, all words of up to three letters."""
        return word in self.stop_words if self.stop_words else len(word) <= 3 and word.isascii()


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ENGLISH = Language(
    code="en",
    stop_words=_set(
        """a about above across after again against all almost along already also although always am among an and
        another any anybody anyone anything are aren't around as at away back be became because become been before
        behind being below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't
        done down during each either else enough even ever every everybody everyone everything few for from further
        get gets got had has have haven't having he he's her here hers herself him himself his how however i i'm if
        in instead into is isn't it it's its itself just let let's less like likely many may maybe me might more most
        much must my myself near neither never no nobody none nor not nothing now of off often on once one only onto
        or other others our ours out over own per perhaps quite rather really same shall she she's should shouldn't
        since so some somebody someone something soon still such than that that's the their theirs them themselves
        then there there's therefore these they they're this those though through thus till to today together
        tomorrow too toward towards two under unless until up upon us very via was wasn't we we're well were weren't
        what what's when where whether which while who who's whom whose why will with within without won't would
        yesterday yet you you're your yours yourself s t d ll re ve m"""
    ),
    headline_words=_set(
        """change changes reasons adds aims announced announces appears asks backs becomes begins best better big bigger biggest bring brings
        build builds buys calls comes cuts delays drops ends expands explained explains faces falls fails finally
        find finds first fix fixes gives goes good grow grows guide help helps hits holds important introduces
        introducing joins keep keeps know last latest launched launches launching leads learn leaves little long
        look looking looks lost make makes making meet meets moves need needs new next old opens part plans properly
        reaches ready real released releases reports returns reveals rises run runs said says see sees sells set
        sets shows signs small start starts stops take takes tells thinks three tips turns update updated updates use uses
        using wants warns ways week win wins work works year"""
    ),
    joining_words=_set("of"),
    abbreviations=_set(
        """mr mrs ms dr prof st jr sr gen col lt sgt capt rev hon vs etc e.g i.e eg ie cf al inc ltd co corp no nos vol
        fig figs approx est dept u.s u.k u.n a.m p.m jan feb mar apr jun jul aug sep sept oct nov dec"""
    ),
    leaning_words=_set(
        """he she it they this that these those his her its their there then so but and or yet however therefore
        moreover furthermore meanwhile also instead otherwise thus hence still such both neither afterwards"""
    ),
)

_GERMAN = Language(
    code="de",
    stop_words=_set(
        """ab aber alle allem allen aller alles als also am an ander andere anderen anderer anderes auch auf aus bei beim
        bereits bin bis bist da dabei dadurch dafür dagegen daher damit danach dann daran darauf darf darin darum das
        dass davon davor dazu dein deine dem den denen denn der deren des dessen die dies diese diesem diesen dieser
        dieses doch dort du durch eher ein eine einem einen einer eines einige einigen einmal er erst es etwa etwas
        euch euer für gegen gegenüber gewesen gibt habe haben hat hatte hatten hier hin hinter ich ihm ihn ihnen ihr
        ihre ihrem ihren ihrer im immer in indem ins ist ja jede jedem jeden jeder jedes jedoch jene jetzt kann kein
        keine keinem keinen keiner können könnte mal man manche mehr mein meine mich mir mit muss müssen nach nachdem
        nein nicht nichts noch nun nur ob oder ohne schon sehr sein seine seinem seinen seiner seit selbst sich sie
        sind so sogar solche soll sollen sollte sondern sonst sowie über um und uns unser unsere unter viel viele vom
        von vor während wann war waren warum was weder wegen weil welche welchem welchen welcher wenig wenn wer werde
        werden wie wieder will wir wird wo wollen worden wurde wurden zu zum zur zwar zwischen"""
    ),
    headline_words=_set(
        """funktioniert gründe sinkt ändert alte alten alter altes beginnt bekommt bleibt braucht bringt erhält erklärt erste ersten erster erstes fordert
        fährt gehen geht gewinnt große großen großer großes heute hilft jahr jahre kommen kommt kündigt letzte macht
        meldet morgen nächste neue neuem neuen neuer neues plant richtig sagt schließt sieht startet steigt stellt
        tipps warnt will woche wächst zeigt öffnet"""
    ),
    has_capital_nouns=True,
    abbreviations=_set(
        """abb abs art bd bzw ca chr d.h dr dipl einschl etc evtl ff fr geb ggf hl hr hrsg inkl ing insb jh kap max mind
        min mio mrd nr o.ä od prof s.o s.u sog st std str tel u.a usw vgl z.b z.t zzgl z.zt jan feb mär apr jun jul
        aug sep sept okt nov dez"""
    ),
    leaning_words=_set(
        """er sie es dies diese dieser dieses das damit dabei dadurch dafür dagegen daher danach dann darum deshalb
        deswegen doch aber und oder jedoch außerdem allerdings hingegen zudem so sein seine ihr ihre dort trotzdem"""
    ),
    has_ordinal_dots=True,
)

_FRENCH = Language(
    code="fr",
    stop_words=_set(
        """à afin ai ainsi alors après as au aucun aucune aujourd'hui aussi autre autres aux avant avec avoir avons ayant
        c ça car ce ceci cela celle celles celui cependant certains ces cet cette ceux chaque chez ci comme comment
        contre d dans de deja déjà depuis des dès deux devant doit doivent donc dont du elle elles en encore entre es
        est et étaient était étant été être eu eux fait faut fois font hors ici il ils j je jusqu l la là le les leur
        leurs lors lorsque lui m ma mais malgré me même mêmes mes moi moins mon n ne ni non nos notre nous on ont ou où
        par parce pas pendant peu peut peuvent plus plusieurs pour pourquoi près puis qu quand que quel quelle quelles
        quelque quelques quels qui quoi s sa sans se selon sera seront ses si soi soit son sont sous souvent sur t ta
        tandis te tes toi ton toujours tous tout toute toutes très trop tu un une vers voici voilà vos votre vous y"""
    ),
    headline_words=_set(
        """augmente baisse change fonctionne raisons ancien ancienne annonce arrive bon bonne commence demande demain devient dernier dernière dernières dévoile
        explique grand grande grands jour lance met meilleur meilleurs mise nouveau nouveaux nouvel nouvelle nouvelles
        ouvre part passe petit petite premier première prend prépare présente revient semaine va veut vient voir"""
    ),
    joining_words=_set("de du des"),
    is_head_first=True,
    abbreviations=_set(
        """m mm mme mlle dr pr me st ste etc cf ex p.ex env fig no art chap vol av bd janv févr avr juil sept oct nov déc
        c.-à-d"""
    ),
    leaning_words=_set(
        """il elle ils elles ce cela ceci cette ces celui celle ceux celles mais et ou donc or car ainsi alors aussi
        cependant pourtant toutefois ensuite puis enfin son sa ses leur leurs y en là"""
    ),
)

_SPANISH = Language(
    code="es",
    stop_words=_set(
        """a al algo alguna algunas alguno algunos ante antes aquel aquella aquellos aquí así aún aunque bajo bien cada
        casi como cómo con contra cual cuál cuales cualquier cuando cuándo de del desde después donde dónde dos durante
        e el él ella ellas ellos en entonces entre era eran es esa esas ese eso esos esta está estaba estado están estar
        estas este esto estos fue fueron ha haber había hace hacia han hasta hay he hoy incluso la las le les lo los más
        me mediante menos mi mientras mis mucha muchas mucho muchos muy nada ni ningún ninguna no nos nosotros nuestra
        nuestro nunca o os otra otras otro otros para pero poco por porque pues puede pueden que qué quien quién quienes
        se sea según ser si sí sido siempre sin sino sobre solo sólo son su sus tal también tampoco tan tanto te tiene
        tienen todo todos toda todas tras tu tus u un una unas uno unos usted ustedes va vez y ya yo"""
    ),
    headline_words=_set(
        """aumenta baja cambia funciona razones abre ahora anuncia antigua antiguo año busca buen buena comienza crece dice empieza explica gana gran grande
        hacer lanza llega llegan mañana mejor mejores nueva nuevas nuevo nuevos pequeña pequeño pide presenta primer
        primera primeras primero quiere sale semana sigue sube última últimas último últimos vuelve"""
    ),
    joining_words=_set("de del"),
    is_head_first=True,
    abbreviations=_set(
        """sr sra srta dr dra d dña lic ing ud uds vd art cap etc ej p.ej pág págs núm no vol av avda aprox ee.uu ene feb
        abr jun jul ago sept oct nov dic"""
    ),
    leaning_words=_set(
        """él ella ellos ellas esto eso este esta estos estas ese esa aquello pero y e o así entonces además también sin
        embargo luego después por su sus ahí allí"""
    ),
)

_ITALIAN = Language(
    code="it",
    stop_words=_set(
        """a ad agli ai al alcune alcuni alla alle allo allora altra altre altri altro anche ancora avere aveva c che chi ci
        ciò come con contro così cui d da dagli dai dal dalla dalle dallo degli dei del della delle dello dentro di dopo
        dove due dunque durante e è ecco ed era erano essere fa fino fra già gli ha hanno ho i il in infatti io l la le
        lei li lo loro lui ma mai me meno mentre mi mio molta molte molti molto ne negli nei nel nella nelle nello nessun
        nessuna no noi non nostra nostro o ogni oggi oltre oppure per perché però più poco poi presso prima proprio può
        possono quale quali qualche quando quanto quasi quella quelle quelli quello questa queste questi questo qui quindi
        s se sei sempre senza si sia sono sopra sotto stata state stati stato su sua sue sugli sui sul sulla sulle suo
        suoi t tra tranne tutta tutte tutti tutto un un' una uno verso vi via voi"""
    ),
    headline_words=_set(
        """aumenta cala cambia cambiano funziona motivi annuncia antica antico anno apre arriva arrivano bella bello buona buono cerca cresce dice diventa domani entra
        fare grande grandi inizia lancia migliori nuova nuove nuovi nuovo ora parte piccola piccolo presenta prima primo
        prime primi prossima prossimo scopre settimana spiega torna ultima ultime ultimi ultimo vecchia vecchio vuole"""
    ),
    joining_words=_set("di del della dei delle"),
    is_head_first=True,
    abbreviations=_set(
        """sig sigg dott prof avv ing arch on ecc es p.es cfr pag pagg vol art cap fig ca nr gen feb mar apr mag giu lug ago
        set ott nov dic"""
    ),
    leaning_words=_set(
        """lui lei egli ella esso essa essi esse loro questo questa questi queste quello quella ciò ma e o così quindi
        dunque inoltre tuttavia però infatti poi anche il suo sua suoi sue lì là"""
    ),
)

_POLISH = Language(
    code="pl",
    stop_words=_set(
        """a aby albo ale ani aż bardziej bardzo bez bo bowiem by być był była było były będą będzie cały chce choć ci co
        coraz coś czy czyli dla dlaczego dlatego do dwa dwie gdy gdyby gdzie go i ich ile im inna inne inny innych iż ja
        jak jaka jaki jakie jako je jeden jednak jednym jego jej jest jestem jeszcze jeśli jeżeli już każda każde każdy
        kiedy kto która które którego której który których którym którzy ku lecz lub ma mają mam mi między mimo mnie mogą
        może można mój my na nad nam nami nas nasz nasza nasze natomiast nawet nic nich nie niech niej nim niż no o obok od
        ona one oni ono oraz pan po pod podczas ponad ponieważ poza przed przede przez przy raz również sam się skąd są
        swoje swój ta tak taka taki takie także tam te tego tej ten też to tobie tu tutaj twój ty tych tylko tym u w wam
        wasz we wiele więc właśnie wszyscy wszystkich wszystkie wszystko wśród z za zawsze ze że żeby"""
    ),
    headline_words=_set(
        """działa powodów spada wzrasta dobra dobre dobry duża duże duży dziś jutro kolejna kolejne kolejny mała małe mały mówi najlepsze najnowsze nowa
        nowe nowego nowej nowy nowych ostatni ostatnia otwiera pierwsza pierwsze pierwszy planuje pokazuje potrzebuje
        rok roku rośnie rusza ruszają stara stare stary startuje teraz trzeba tydzień wchodzą wchodzi wielka wielkie
        wielki wraca wygrywa zapowiada zmienia zobacz"""
    ),
    is_head_first=True,
    abbreviations=_set(
        """al art b dr doc godz gr hab im in inż itd itp jw lek m.in mgr mies mjr mln mld np nr ok op os p par pkt pl płk por
        poz prof r red rozdz s św str t tel tj tys tzn tzw ul ur ust w wg woj wyd zł zob żył"""
    ),
    leaning_words=_set(
        """on ona ono oni one to ten ta te tego tej tym jego jej ich ale i a lecz jednak więc zatem dlatego ponadto także też
        również natomiast potem wtedy tam tak"""
    ),
    has_ordinal_dots=True,
)

_LANGUAGES = {
    language.code: language for language in (_ENGLISH, _GERMAN, _FRENCH, _SPANISH, _ITALIAN, _POLISH)
}
#: Others in which "3." means "third".
_ORDINAL_DOTS = frozenset(
    {"bs", "cs", "da", "et", "fi", "hr", "hu", "is", "lv", "nb", "nn", "no", "sk", "sl", "sr", "tr"}
)


def language_code(tag: str) -> str:
    """The language of a tag: "de" for "de-AT"; "" for none."""
    return tag.strip().replace("_", "-").partition("-")[0].casefold()


def language_of(tag: str) -> Language:
    """What is known about the language of a tag such as "de-AT"."""
    code = language_code(tag)
    return _LANGUAGES.get(code) or Language(code=code, has_ordinal_dots=code in _ORDINAL_DOTS)


def known_languages() -> tuple[Language, ...]:
    """All languages that have lists here."""
    return tuple(_LANGUAGES.values())
