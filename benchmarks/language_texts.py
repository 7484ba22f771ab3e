"""Texts in Russian, Japanese and Arabic for `languages.py`: short stories from sentence patterns.

Every call with the same arguments gives the same text:

    python benchmarks/language_texts.py russian > russian.txt
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SIZE = 250_000  # bytes


@dataclass(frozen=True)
class Language:
    """The parts of sentences in one language.

    Attributes:
        times: Openings of a sentence.
        people: Groups of subjects that take the same form of a verb.
        actions: For each group, what its subjects do.
        places: Where they do it.
        endings: Sentences that end a paragraph.
        speech: What people say; `{}` is the speaker.
        sentence: Joins time, person, action and place.
    """

    times: tuple[str, ...]
    people: tuple[tuple[str, ...], ...]
    actions: tuple[tuple[str, ...], ...]
    places: tuple[str, ...]
    endings: tuple[str, ...]
    speech: tuple[str, ...]
    sentence: Callable[[str, str, str, str], str]


RUSSIAN = Language(
    times=(
        "Однажды утром", "Вечером", "В конце осени", "Перед самым рассветом", "В тот же день",
        "Через неделю", "Когда пошёл снег", "После долгой зимы", "Ранней весной",
        "Ближе к полуночи",
        "В воскресенье", "Пока горела лампа", "Как только стемнело", "На следующий день",
        "Задолго до праздника", "Во время грозы",
    ),
    people=(
        ("старый рыбак", "учитель музыки", "мальчик с соседней улицы", "почтальон", "сторож",
         "молодой врач", "капитан", "часовщик", "пекарь", "брат мельника"),
        ("старая учительница", "хозяйка гостиницы", "девочка в красном пальто", "дочь капитана",
         "соседка", "продавщица цветов", "сестра лесника", "бабушка", "переводчица", "швея"),
    ),
    actions=(
        ("нашёл письмо без адреса", "чинил старую лодку", "долго смотрел на воду",
         "рассказывал о далёких городах", "купил мешок муки", "слушал, как поют птицы",
         "не решился открыть дверь", "построил маленький мост", "потерял ключ от сарая",
         "обещал вернуться к ужину", "читал вслух газету", "нарисовал карту острова"),
        ("нашла письмо без адреса", "вышивала белую скатерть", "долго смотрела на воду",
         "рассказывала о далёких городах", "купила корзину яблок", "слушала, как поют птицы",
         "не решилась открыть дверь", "посадила три вишни", "потеряла ключ от сарая",
         "обещала вернуться к ужину", "читала вслух газету", "нарисовала карту острова"),
    ),
    places=(
        "у реки", "на краю деревни", "возле старой мельницы", "в пустом вокзале",
        "под высокой липой",
        "на пристани", "в комнате с зелёными обоями", "за садовой оградой", "на узкой лестнице",
        "в библиотеке", "посреди площади", "у открытого окна", "на берегу озера", "в кузнице",
    ),
    endings=(
        "Никто этому не удивился.", "Больше об этом не говорили.", "С тех пор прошло много лет.",
        "Так всё и началось.", "Ветер стих, и стало тепло.", "Все засмеялись и пошли домой.",
        "А утром выпал первый снег.", "Правду узнали только весной.",
    ),
    speech=(
        "«Ты опять забыл закрыть окно», — сказала {}.",
        "«Завтра будет хорошая погода», — заметила {}.",
        "«Я никогда не видела моря», — призналась {}.", "«Подожди меня у ворот», — попросила {}.",
        "«Сколько стоит этот хлеб?» — спросила {}.", "«Не надо спешить», — ответила {}.",
    ),
    sentence=lambda time, person, action, place: f"{time} {person} {place} {action}.",
)  # fmt: skip

JAPANESE = Language(
    times=(
        "ある朝、", "夕方になると、", "秋の終わりに、", "夜明け前に、", "その日のうちに、",
        "一週間後、",
        "雪が降り始めたころ、", "長い冬のあとで、", "春の初めに、", "真夜中近くに、", "日曜日に、",
        "次の日、", "祭りの前の晩、", "雨の中で、", "昼ごはんのあと、", "月が出ると、",
    ),
    people=((
        "年をとった漁師", "音楽の先生", "となりの男の子", "郵便屋さん", "若い医者", "船長",
        "時計職人",
        "パン屋の主人", "宿屋のおかみさん", "赤いコートの女の子", "花売りの娘", "おばあさん",
        "木こり",
        "旅の絵かき", "本屋の店員", "灯台守",
    ),),
    actions=((
        "宛名のない手紙を見つけた", "古い船を直していた", "長いあいだ水を見ていた",
        "遠い町の話をしてくれた", "りんごを一かご買った", "鳥の声を聞いていた",
        "戸を開けることができなかった", "小さな橋をかけた", "物置の鍵をなくした",
        "夕飯までに帰ると約束した", "新聞を声に出して読んだ", "島の地図をかいた",
        "桜の木を三本植えた", "だれかの足音に気がついた", "歌を一つ思い出した",
    ),),
    places=(
        "川のそばで", "村のはずれで", "古い水車小屋の前で", "だれもいない駅で", "大きな木の下で",
        "港で", "緑色の壁の部屋で", "庭のかきねの向こうで", "せまい階段で", "図書館で",
        "広場のまん中で", "開いた窓のそばで", "湖の岸で", "鍛冶屋の店先で",
    ),
    endings=(
        "だれもおどろかなかった。", "それからは、だれもその話をしなかった。",
        "あれから長い年月がたった。",
        "こうしてすべてが始まった。", "風がやんで、暖かくなった。", "みんな笑って、家に帰った。",
        "次の朝、初雪が降った。", "本当のことがわかったのは、春になってからだった。",
    ),
    speech=(
        "「また窓を閉めるのを忘れたね」と{}が言った。",
        "「あしたはいい天気になるよ」と{}が言った。",
        "「海を見たことがないんです」と{}が打ち明けた。",
        "「門のところで待っていて」と{}がたのんだ。",
        "「このパンはいくらですか」と{}がたずねた。", "「急がなくてもいい」と{}が答えた。",
    ),
    sentence=lambda time, person, action, place: f"{time}{person}は{place}{action}。",
)  # fmt: skip

ARABIC = Language(
    times=(
        "ذات صباح", "في المساء", "في آخر الخريف", "قبل الفجر", "في ذلك اليوم", "بعد أسبوع",
        "حين بدأ المطر", "بعد شتاء طويل", "في أول الربيع", "قرب منتصف الليل", "يوم الجمعة",
        "في اليوم التالي", "ليلة العيد", "عند الغروب", "بعد العشاء", "حين طلع القمر",
    ),
    people=(
        ("الصياد العجوز", "معلم الموسيقى", "ابن الجيران", "ساعي البريد", "الطبيب الشاب", "القبطان",
         "صانع الساعات", "الخباز", "الحارس", "بائع الكتب"),
        ("المعلمة العجوز", "صاحبة الفندق", "ابنة القبطان", "الجارة", "بائعة الزهور", "الجدة",
         "المترجمة", "الخياطة", "أخت النجار", "البنت ذات المعطف الأحمر"),
    ),
    actions=(
        ("وجد رسالة بلا عنوان", "أصلح القارب القديم", "نظر إلى الماء طويلا", "حكى عن مدن بعيدة",
         "اشترى كيسا من الطحين", "سمع غناء الطيور", "تردد أمام الباب", "بنى جسرا صغيرا",
         "أضاع مفتاح المخزن", "وعد بالعودة قبل العشاء", "قرأ الجريدة بصوت عال",
         "رسم خريطة الجزيرة"),
        ("وجدت رسالة بلا عنوان", "طرزت غطاء أبيض", "نظرت إلى الماء طويلا", "حكت عن مدن بعيدة",
         "اشترت سلة من التفاح", "سمعت غناء الطيور", "ترددت أمام الباب", "زرعت ثلاث أشجار",
         "أضاعت مفتاح المخزن", "وعدت بالعودة قبل العشاء", "قرأت الجريدة بصوت عال",
         "رسمت خريطة الجزيرة"),
    ),
    places=(
        "قرب النهر", "عند طرف القرية", "أمام الطاحونة القديمة", "في المحطة الخالية",
        "تحت شجرة عالية", "في الميناء", "في الغرفة الخضراء", "خلف سور الحديقة", "على السلم الضيق",
        "في المكتبة", "وسط الساحة", "بجانب النافذة المفتوحة", "على شاطئ البحيرة", "في دكان الحداد",
    ),
    endings=(
        "ولم يستغرب أحد.", "ولم يتحدث أحد عن ذلك بعدها.", "ومرت بعد ذلك سنوات كثيرة.",
        "وهكذا بدأ كل شيء.", "وسكنت الريح وصار الجو دافئا.", "وضحك الجميع وعادوا إلى بيوتهم.",
        "وفي الصباح نزل أول الثلج.", "ولم تظهر الحقيقة إلا في الربيع.",
    ),
    speech=(
        "قالت {}: «نسيت أن تغلق النافذة مرة أخرى».", "قالت {}: «سيكون الجو جميلا غدا».",
        "قالت {}: «لم أر البحر في حياتي».", "قالت {}: «انتظرني عند البوابة».",
        "سألت {}: «بكم هذا الخبز؟»", "أجابت {}: «لا داعي للعجلة».",
    ),
    sentence=lambda time, person, action, place: f"{time} {action} {person} {place}.",
)  # fmt: skip

LANGUAGES = {"russian": RUSSIAN, "japanese": JAPANESE, "arabic": ARABIC}


def paragraphs(language: Language, seed: int) -> Iterator[str]:
    """Endless paragraphs of three to seven sentences."""
    draw = random.Random(seed)
    separator = "" if language is JAPANESE else " "
    while True:
        sentences = []
        for _ in range(draw.randint(2, 5)):
            group = draw.randrange(len(language.people))
            sentences.append(
                language.sentence(
                    draw.choice(language.times),
                    draw.choice(language.people[group]),
                    draw.choice(language.actions[group]),
                    draw.choice(language.places),
                )
            )
        if draw.random() < 0.6:
            speaker = draw.choice(language.people[-1])  # the group that the verbs of speech fit
            sentences.insert(1, draw.choice(language.speech).format(speaker))
        sentences.append(draw.choice(language.endings))
        yield separator.join(sentences)


def make_text(name: str, size: int = SIZE, seed: int = 1) -> str:
    """A text in one of `LANGUAGES` of at least `size` bytes of UTF-8.

    >>> len(make_text("russian", 1000).encode()) >= 1000
    True
    """
    parts: list[str] = []
    total = 0
    for paragraph in paragraphs(LANGUAGES[name], seed):
        parts.append(paragraph)
        total += len(paragraph.encode()) + 1
        if total >= size:
            return "\n".join(parts) + "\n"
    raise AssertionError("paragraphs do not end")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(make_text(sys.argv[1]))
