"""The title templates, one a line; an indented line goes on with the one before it."""

from __future__ import annotations

from grammar import entries

TEMPLATES = entries("""
{^job.people} of Reddit, what is the {strangest|funniest|kindest|rudest|most confusing|sweetest}
    thing a(n) {job.client} has ever said to you?
{^job.people} of Reddit, what is something {job.clients} do that you {secretly love|will never
    understand|wish you could forget|find oddly touching|dread every time}?
{^job.people} of Reddit, what is the {strangest|most valuable|saddest|funniest|most mysterious}
    thing you have ever found {job.place}?
{^job.people} of Reddit, which {job.client} will you {never forget|always be grateful to|tell your
    grandchildren about}, and why?
{^job.people} of Reddit, how can you tell within {a minute|five seconds|one sentence} that a(n)
    {job.client} is going to be {trouble|a delight|unforgettable|hard to please}?
{^job.people} of Reddit, what does everyone get wrong about your job?
{^job.people} of Reddit, what do {movies|TV shows|children's books|your relatives} always get wrong
    about your work?
{^job.people} of Reddit, what is the best {compliment|excuse|surprise|piece of advice|story} you
    ever got from a(n) {job.client}?
{^job.people} of Reddit, what do you notice first when you meet a new {job.client}?
{^job.people} of Reddit, what {tiny thing|single word|sound|question} can ruin your whole shift?
{^job.people} of Reddit, if you could give all {job.clients} one {rule|piece of
    advice|warning|gift}, what would it be?
{^job.people} of Reddit, what {trick|shortcut|secret|lesson} from your work do you use at home?
{^job.people} of Reddit, what was your {very first day|worst day|proudest moment|longest
    day|luckiest day} on the job like?
[Serious] {^job.people} of Reddit, when did you know that it was {the right job for you|time to move
    on|more than just a job}?
[Serious] {^job.people} of Reddit, what {small kindness|moment|mistake|conversation} at work has
    stayed with you?
{^job.people} of Reddit, would you {choose the same career again|let your children do your
    job|recommend your job to a friend}, and why?
What is a question that you have always wanted to ask {job.one}, but never dared to?
What is a {secret|superstition|joke|nightmare|small pleasure} that only {job.people} would
    understand?
If you had to work as {job.one} {tomorrow|for one day|for a week with no training}, what would go
    wrong first?
Children of {job.people}, what was it like to grow up with {job.one} for a parent?
What is the most {memorable|helpful|surprising|honest} thing {job.one} has ever told you?

{^called}, what is something that nobody {warned|told|asked} you about?
{^called}, what question are you {tired of hearing|secretly hoping to be asked|never going to answer
    again}?
{^called}, what is an unexpected {advantage|downside} of your life?
{^called}, what does everyone else {get wrong|forget|never notice} about you?
{^called}, what is your {most useful trick|greatest small victory|biggest daily battle|funniest
    misunderstanding|strongest opinion}?
What is a struggle that is familiar to all {group}?
What would the world look like if it had been {designed|furnished|planned} entirely for {group}?
How do {group} survive {family holidays|school reunions|group vacations|long flights|parties}?

What is something that nobody tells you about {event}?
What surprised you most about {event}?
What do you wish you had known before {event}?
What is the {best|worst|strangest|shortest} advice you were ever given about {event}?
What is the {hidden|funniest|quietest|most expensive} downside of {event}?
What is the {hardest|best|strangest|most underrated} part of {event}?
Has {event} made you a {calmer|happier|weirder|more patient|funnier} person?
[Serious] How did {milestone} change {you|your friendships|your idea of success|the way you spend
    your days|your view of your own parents}?
[Serious] What kept you going through the hardest part of {milestone}?
What is the {pettiest|strangest|most honest|most romantic} reason for {moving to a new city|adopting
    a dog|getting married|changing careers|keeping chickens|writing a book|studying abroad|learning
    Latin|selling a car} that you have ever heard?
What should a beginner {buy|borrow|avoid|practice} before {running a marathon|renovating an old
    house|growing vegetables|traveling alone|keeping chickens|adopting a dog|camping in the
    rain|singing in a choir|starting a small business}?
What is your funniest story about {event}?

People who {turn}, do you regret it, and why?
People who {turn}, what was the moment you decided to do it?
People who {turn}, what {surprised you most|was the first thing to go wrong|did your family
    say|turned out to be easier than you expected}?
People who {turn}, what do you {miss most about|know now that you did not know in} your old life?
[Serious] People who {turn}, would you do it again?
People who {turn}, what is the story?
People who {habit}, what is your side of the story?
People who {habit}, when did you realize that you were different?
People who {habit}, who {taught you this|hurt you|do you think is watching}, and why?
People who {habit}, what is it like to live without fear?
People who {habit}, how do you sleep at night?
What would you say to people who {habit} if they promised to listen?
Could you be happily married to one of those people who {habit}?

You wake up in {era} with nothing but {the clothes you are wearing|your phone at nine percent|a bag
    of potato chips|your house keys|one very good umbrella|your pet|a bicycle}. How do you survive
    the week?
If you could bring one {modern object|snack|song|animal|invention|person} to {era}, what would you
    choose, and how would you explain it?
What would someone from {era} find most {confusing|disappointing|wonderful|ridiculous} about {a
    supermarket|a modern office|your kitchen|an airport|a gym|a birthday party|a traffic jam}?
What job would you have had if you had been born in {era}?
What would you {miss most|secretly enjoy|be surprisingly good at} if you had to live in {era}?
Which {habit|fashion|rule|sport|word|job} from {era} would be {hilarious|very useful|a disaster}
    today?
What {toy|song|snack|TV show|fashion|smell|game|commercial} takes you straight back to {decade}?
What is something from {decade} that {deserves to come back|should never come back|young people
    would not believe|was better than what we have now}?
If you could spend one {day|weekend|summer} in {decade}, {where would you go|whom would you
    visit|what would you do} first?

You come home and find {animal} {spot}. What do you do?
You come home and find {animal} {spot}. What is your first question?
{^animal} is {spot}, and it is your boss. How does the meeting go?
You have to keep {animal} in your home for {period}. What is your plan?
You may bring {animal} to {a wedding|your workplace|a fancy restaurant|your next haircut|a family
    reunion}. How do you explain it?
If {animals} {could talk|could read|had thumbs|were as tall as a house|could drive}, what would
    change first?
If {animals} ran {the post office|an airline|a bank|a restaurant|a school|a hotel|the government},
    what would their first new rule be?
Which animal would be the {rudest|best listener|worst gossip|most boring speaker|funniest} if it
    could talk?
What would {animals} complain about in an online review of {your house|the local park|a
    zoo|humans|the weather|your garden}?
Would you rather live with a hundred tiny {animals} or three giant {animals}, and why?
{^animals} have elected you as their leader. What do you promise them?

You must face {foe} and your only weapon is {weapon}. Do you win?
With nothing but {weapon}, how long would you last against {foe}?
If {foe} chased you through {store}, what would your plan be?
You are locked in {store} {overnight|for a whole weekend|with your worst enemy|with your entire
    family|during a power cut}. How do you spend the time?
You have ten minutes to hide from {foe} in {store}. Where do you go?

You gain the power to {power}, {catch}. What do you do with it?
You can suddenly {power}, {catch}. How does this ruin your life?
If you could {power}, {catch}, would you still call yourself a superhero?
If you could {power} for just {one hour|one day|ten minutes}, what would you do?
What would be the most {boring|pointless|selfish|embarrassing|wholesome} use of the power to
    {power}?
You are offered {money}, but you have to {dare} for {period}. Do you take it, and how do you cope?
Would you {dare} for {period} in exchange for {money}?
For how much money would you {dare} for {period}?
What would go wrong first if you had to {dare} for {period}?
You must either {dare} or {dare} for {period}. Which do you choose, and why?
Would you rather {dare} or {dare} for the rest of your life?
You inherit {prize}, but {condition}. What do you do?
You win {prize} in a raffle. What is the first thing you {do|change|buy|tell your family}?
If you owned {prize}, what would you {name it|do with it|put on the sign|be most afraid of}?
You have {period} to make {prize} {famous|profitable|popular with children|the talk of the town}.
    What is your plan?

How would you explain {concept} to {audience}?
How would you describe {concept} to {audience} without using your hands?
You have one minute to convince {audience} that {concept} is nothing to be afraid of. What do you
    say?
What would {audience} think of {concept}?
Sell me {goods} as if you were {persona}.
How would {persona} {order a coffee|ask for a raise|break up with someone|read a bedtime
    story|return a sweater|leave a voice message|announce dinner}?
You have to sell {goods} for more than {twenty|fifty|a hundred} dollars. How do you do it?
Your life is now narrated by {persona}. What was the highlight of {today|this week|yesterday}?
If you had to describe {story} as {persona}, how would you begin?
Describe {story} {manner}.
Convince me to {news} {in one sentence|in exactly five words|without using the letter E|as if your
    life depended on it|with a single argument|with the help of a made-up statistic}.
What is the first thing you would do if a doctor ordered you to {news}?
Describe {story} with the title of {a movie|a song|a book}.
If {story} were a {soup|weather report|board game|roller coaster|museum exhibit|candle}, what would
    it be like?
Give {advised} one piece of advice in {five words|one sentence|the form of a question|three words}.
What is the one thing that {advised} should {stop worrying about|do right away|never buy|learn
    first}?

What is the most {controversial|unpopular|boring|old-fashioned|heartfelt} opinion you hold about
    {topic}?
What is the {strangest|best|worst} thing that ever happened to you because of {topic}?
If you were in charge of {topic}, what is the first thing you would {change|ban|add}?
What do you love about {topic} that everyone else seems to hate?
Could you give a {ten-minute|one-hour|three-hour} talk on {topic}, and what would it be called?
What is the "{thing}" of {domain}?
What is the "{loading screen|final boss|surprise quiz|tutorial level|software update}" moment of
    {domain} that nobody prepares you for?
If {domain} came with a "{user manual|snooze button|loading screen|participation trophy|blooper
    reel|lost-and-found box}," what would it look like?
What is the {unwritten|silliest|most important|most broken} rule of {domain}?
What {sound|smell|sentence|object|lie} best sums up {domain}?
What new rule would improve {sphere} overnight?
What would make {sphere} {twice as much fun|completely unbearable|far more exciting|less awkward}?
What is the {worst|funniest|most awkward} thing that can go wrong at {a wedding|a funeral lunch|a
    school play|a job interview|an open house|a piano recital|a graduation|a bake sale}?
Which {kind} would make the best {role}, and why?
Which {kind} would make the worst {role}, and why?
What {kind} best describes {your personality|your week so far|your best friend|your family|your
    cooking|your love life}?
If every {kind} had to have a job, which would be {the highest paid|late every day|employee of the
    month|fired first}?
What {kind} do you {respect most|not trust at all|think about too often|find overrated}?
You are allowed to rename one {kind}. Which one, and what is it called now?
Which job would become a lot funnier if everyone in it had to {rule}?
What would be the first thing to go wrong if everyone at {your workplace|the airport|a wedding|the
    bank|the gym} had to {rule}?
Which {sport|TV show|game show|school subject|holiday} would be better if everyone had to {rule}?
Which fictional {character} would make the {best|worst|funniest}
    {roommate|boss|neighbor|teacher|travel companion|babysitter|wedding guest}?
Which fictional {character} {scared you as a child|deserved better|would you trust with your house
    keys|would be fun at a party}?
If {feeling} had a {smell|color|taste|sound|shape}, what would it be?
If {feeling} were {a person|a kind of weather|a dessert|a room in a house|a dance|a hat}, what would
    it be like?
What is the {best|strangest|oldest|most delicious} cure for {homesickness|boredom|stage fright|the
    hiccups|a Monday morning|cabin fever|writer's block|a bad mood|a Sunday evening} that you know?
[Serious] What helped you to get through {hardship}?
[Serious] What should you {say|never say|bring|do} when a friend is going through {a very hard
    year|a divorce|a long illness|burnout|a broken heart|a season of bad luck|a family quarrel}?
[Serious] What did {hardship} teach you {about yourself|about other people|that you still use
    today}?
What {song|smell|meal|photograph|place|book|sound} {effect}?
If you could ask {asked} one question, what would it be?
What would {asked} say about {your haircut|the way you live|your last purchase|your choice of
    friends|what you had for breakfast}?
You may send one {postcard|text message|gift|warning|photo} to {asked}. What is it?
What would you be embarrassed to explain to {asked}?
If your {talker} could talk, what would it {complain about|tell your friends|say to you every
    morning|ask for|apologize for}?
If your {talker} wrote {a review of you|a love letter|an autobiography|a resignation letter|a
    complaint to the manager}, what would be in it?
Your {talker} has been elected mayor. What is its first decision?
Your {talker} is now magical. What does it do?
What should every {learner} know how to do?
What is the most underrated skill for a(n) {learner}?
What does every {learner} {pretend to understand|worry about for no reason|buy and never use|find
    out too late}?
Should every {learner} know how to {skill}, and who should teach them?
How did you learn to {skill}, and how old were you?
What is the {best|worst|funniest} way to learn how to {skill}?

When did you realize that {realize}?
What was the moment you knew that {realize}?
How old were you when you realized that {realize}?
What small sign told you that {realize}?
What is the {pettiest|strangest|silliest|most ridiculous|laziest} reason you ever {petty}?
You once {petty} for a very silly reason. What was it?
What is the longest you have ever {longest}?
What is the longest you have ever {longest}, and was it worth it?
What would be the {worst|funniest|most suspicious|most boring|saddest} possible {worst}?
What would be the worst possible {worst}, and how did you find out?
What is the perfect name for a(n) {pet}?
You are given a(n) {pet}. What do you call it, and why?
What is the strangest thing you believed about {childish} when you were a child?
What did your {parents|siblings|friends} tell you about {childish} that turned out to be nonsense?
What is always worth {pay}, and what never is?
What is the {strangest|smallest|last} thing that you thought was worth {pay}?
What is the proper way to {proper}, and who taught you?
How would {persona} tell you to {proper}?
Have you ever had an argument about how to {proper}, and who won?
Settle this once and for all: {settle}?
How long could you argue about this question: {settle}?
Be honest, {settle}, and what makes you so sure?
What do you do when you {cure}?
What is your {secret|laziest|oldest|strangest} trick for when you {cannot fall asleep|are nervous
    before a big day|need to look busy at work|forget someone's name|have to wait for hours|want to
    leave a party|are losing an argument|need a good excuse}?
What {song|snack|game|thought|book} do you turn to when you {cannot fall asleep|are stuck in
    traffic|have had a terrible day|feel homesick|are snowed in|are the only one awake|have one free
    hour}?
What is the {fastest|most polite|funniest|sneakiest} way to ruin {ruin}?
What single {sentence|smell|word|mistake} can ruin {ruin}?
What is the {best|bravest|funniest} way to save {a first date|a family dinner|a wedding speech|a
    picnic|a job interview|a camping trip|a barbecue|a school play|a road trip} that is going badly?
What small detail tells you that {judge} is going to be {wonderful|terrible|worth it|a disaster}?
What is a {red flag|green flag} in {judge} that most people miss?
What would you put in the one-star review of {judge} from your {nightmares|past|hometown|strangest
    dreams}?
What is the {dumbest|strangest|luckiest|most dramatic|funniest} way you have ever {clumsy}?
Have you ever {hurt yourself|ruined a meal|spoiled a surprise|fallen asleep|broken a chair|forgotten
    your own name|waved at the wrong person|lost an argument|gotten stuck} in front of {your
    boss|your in-laws|a crowd|someone famous|your whole class}, and what happened next?
What is the most {expensive|memorable|ridiculous} way you have ever {gotten lost|missed a train|hurt
    yourself|lost your luggage|made a friend|been woken up|ruined a meal|found a restaurant} on
    vacation?
What says "{scream}" without saying it?
What is the {quietest|politest|most expensive} way to say "{scream}"?
How would {persona} say "{scream}"?
You find a note {finder} that says "{^note}." What do you do?
You get a text message from {an unknown number|your future self|your dentist|your old school|your
    grandmother} that says "{^note}." What do you answer?
A stranger on a {train|plane|bench|ferry|chairlift} leans over and whispers "{^note}." How do you
    react?
How would you finish the sentence "{opener} ..."?
What is your best true story that begins with "{opener} ..."?
What was the first {firsts}, and what do you think of it now?
What is the first {firsts}, and how old were you?
What is your favorite {sound|smell|sight|memory} of {season}?
How would you describe {season} to someone who has {never known it|lost their sense of smell|lived
    on the moon all their life}?
What {meal|song|drink|book|game} belongs to {season}?
{^visitor.who} offers you {visitor.gift}. What do you {visitor.verb}?
What would you do if {visitor.who} knocked on your door {at midnight|during dinner|in a
    snowstorm|while you were in the shower}?
What {hobby|job|sport|tradition|dish} sounds {seems.first} but is actually {seems.second}?
What is the {worst|funniest|strangest|most suspicious} thing to say {alone}?
What should you never do {alone}, and how did you find out?

If you could {live in|visit|rewrite|be a background character in} any {book|movie|fairy tale|video
    game|TV show}, which would it be, and why?
If you could {taste|see|hear|read} only one thing for the rest of your life, what would it be?
If you could experience one {book|movie|meal|concert|day|trip|video game} again for the first time,
    which would it be?
If you could {swap lives with|have lunch with|get a letter from|sing a duet with} any {historical
    figure|fictional character|person you lost touch with|neighbor|inventor}, who would it be, and
    why?
If you could {remove|double|rename} one {thing in your town|school subject|household chore|month of
    the year}, which would it be, and why?
If life came with a(n) {pause|rewind|mute|skip|undo|zoom} button, what would you use it for first?
If you were {a ghost|an urban legend|a superhero|a cartoon villain|a holiday|a street sign}, what
    would you be known for?
If you had to {wear|eat|smell|hear} the same thing every day for {period}, what would you pick?
If you were {the mayor of your town|the principal of your old school|king or queen for a day|the
    director of a zoo|the captain of a cruise ship}, what would you change first?
If {love|luck|sleep|patience|time|courage} could be bought in {a vending machine|a
    supermarket|cans|monthly installments}, what would it cost?
If you had to replace {handshakes|money|traffic lights|birthday cake|applause|passwords} with
    something else, what would you choose?
What would the Olympic Games be like if {every athlete brought a pet|they were held in a shopping
    mall|nobody was allowed to train|grandparents competed|all the events were silent|every event
    included a goose}?
What is the smallest thing that has ever {ruined|saved|changed|brightened} your whole
    {day|week|year}?
What is the {kindest|bravest|strangest|funniest|most generous} thing you have ever seen a
    {stranger|child|coworker|neighbor|dog|cat|grandparent} do?
What is the {nicest|oddest|most honest|most confusing} compliment you ever got from a
    {child|stranger|teacher|rival|doctor}?
What is the most {useless|delightful|unusual|underrated} {fact you know|skill you have|object you
    own|talent in your family|piece of advice you ever got}?
What was the weirdest rule {in your house when you were a child|at your school|at your first
    workplace|in your college dorm|at your summer camp|in your apartment building}?
What is your family's {strangest|oldest|loudest|most delicious|most pointless} {birthday|New
    Year's|Thanksgiving|summer|Sunday} tradition?
What family {recipe|joke|legend|superstition|argument|heirloom} has been passed down for
    generations, and what is the story behind it?
What did your {grandmother|grandfather|mother|father|older sibling|favorite aunt} always say that
    you {only understood as an adult|still repeat|still do not understand|ignored at your own risk}?
What is the best thing you ever {bought|ate|found|learned|saw} for under {five|ten|twenty} dollars?
What is something {cheap|free|ordinary|old|ugly} that {makes you feel rich|improved your life|you
    would save from a fire|people should use more often}?
What {word|phrase|name|sound|color} do you {find oddly satisfying|always get wrong|think is
    underrated|use far too often}?
What is something that looks {easy|dangerous|expensive|disgusting|boring} until you try it?
What is completely {harmless|normal|silent} by day but terrifying at three in the morning?
What is normal in your {country|family|profession|hometown|house} but strange everywhere else?
What do {tourists|movies|weather forecasters|people from the capital} always get wrong about your
    {country|hometown|region}?
What {movie|book|song|game} did you {love as a child but find strange now|hate at first but love
    now|pretend to like for years|once know by heart}?
What is the best {opening line|last line|plot twist|villain|side character|title} of any
    {book|movie|TV show}?
What {cliché|plot hole|mistake|stereotype} in {crime shows|romantic comedies|fairy tales|disaster
    movies|fantasy novels} annoys you the most?
Which two {foods|colors|smells|hobbies|instruments|jobs} should never be combined, and how do you
    know?
Which {food|drink|vegetable|dessert|spice} {gets too much praise|gets too little respect|has the
    best marketing|tastes better than it looks}?
What is a {breakfast|sandwich|soup|dessert|snack} that {you invented yourself|only your family
    eats|sounds wrong but tastes right|you could eat every day}?
What will we {miss|laugh about|find unbelievable|no longer need} in {twenty|fifty|a hundred} years?
What is the {best|worst|funniest} {cake|costume|card|speech} you ever {saw|made|had to applaud}?
What is the {best|worst|funniest|most expensive} {present|advice|nickname|souvenir} you were ever
    given?
What is the {oddest|oldest|most useful|most sentimental} thing in your
    {wallet|kitchen|garage|attic|refrigerator|desk drawer} right now?
What {chore|errand|sport|school subject|holiday} would you {pay to avoid|do for free|like to see
    abolished|defend to the end}, and why?
What is the {worst|shortest|strangest} {date|meeting|haircut|party|class} you ever walked out of,
    and what happened?
What is something you {pretended to know|bought|said|learned} just to impress {someone you
    liked|your in-laws|your boss|your friends}, and did it work?
What is the {best|worst|funniest} thing about being the {oldest|youngest|tallest|quietest|loudest}
    person in the room?
What small {habit|purchase|conversation|decision} made your life {easier|happier|quieter|more
    interesting}?
[Serious] What is the {hardest|best|bravest} decision you have made {in the last year|for someone
    else|against everyone's advice|without telling anyone}?
[Serious] What do you want to be {remembered for|doing in ten years|better at|forgiven for}?
[Serious] Who {believed in you|taught you kindness|changed your mind|made you feel at home} when
    {nobody else did|you least expected it|you needed it most}, and how?
[Serious] What is a {lesson|sentence|promise|memory} from {your childhood|a teacher|a stranger|your
    first job} that still guides you?
[Serious] What did you give up for {your family|your career|love|your health|a dream}, and was it
    worth it?
Without naming it, how would you describe {your hometown|your job|your favorite food|your hobby|the
    last movie you saw|the country you live in}?
You have to give a {five-minute|thirty-minute|one-hour} talk with no preparation to {a room full of
    toddlers|your old teachers|five hundred strangers|a jury|your in-laws}. What is your subject?
You are the last person left at {the office|a party|the library|the beach|an airport|a museum}. What
    do you do first?
A genie grants you one wish, but it must {cost less than five dollars|fit in a shoebox|annoy exactly
    one person|be edible|help a stranger|rhyme|be finished by lunchtime}. What do you wish for?
Aliens have landed, and {they only want to talk about cheese|they are very shy|they ask for your
    manager|they love bowling|they are allergic to music|they have chosen you as their guide}. What
    do you do?
A new {holiday|national sport|planet|color|day of the week} has been discovered, and you get to name
    it. What is it called, and how do we celebrate?
Tomorrow {gravity takes the day off|every dog can talk|nobody can lie|all clocks stop|chocolate is
    money|everyone wakes up in somebody else's house}. How does your day go?
You are allowed to make one thing {free|silent|invisible|twice as large|illegal on Mondays}. What is
    it, and why?
""")

SINGLE = entries("""
What is the adult version of finding out that there is no tooth fairy?
What tiny event would be the beginning of your villain origin story?
What is a harmless conspiracy theory that you half believe?
What would be on the menu of a restaurant that served only your mistakes?
If your house had a museum plaque, what would it say?
What is the most "grandparent" thing that you do already?
What is the most dramatic thing that ever happened in your very quiet town?
What word do you only know how to spell because of a song?
What is your most irrational fear, and what did it do to deserve you?
Which sentence would get you thrown out of any wedding?
What is the best seat in the house, and why is the cat in it?
What is something that you are weirdly competitive about?
Who is your sworn enemy, and do they know?
What sound can you make with your hands that everyone should hear?
What is the nicest lie that anyone has ever told you?
Which everyday object do you think was invented as a joke?
What is the least romantic place where you have ever fallen in love?
What do you think your pet calls you?
If you had a theme song that played whenever you entered a room, what would it be?
What is a hill that you are willing to take a short nap on?
What did you think was a normal part of being a child until you told someone else about it?
How do you get out of a conversation with somebody who has all the time in the world?
What is the best thing to come out of the worst day of your life?
What would your warning label say?
What is the most important thing that you own which is worth less than a dollar?
What was the best day of school, and why was it the one with the dog?
What rumor about yourself did you enjoy so much that you never denied it?
If animals kept humans as pets, how would they spoil us?
What is the strangest thing you have ever seen someone do with complete confidence?
What would you do if nobody could laugh at you for doing it badly?
What is your signature dish, and how many times have the smoke detectors met it?
Which of your childhood toys would have the most to say about you?
What do you do every day that you would be embarrassed to see on film?
What skill did you learn from a video game that turned out to be useful in real life?
What is a smell that should come as a candle, but does not?
Which three items at a checkout would worry the cashier the most?
What do you miss about the years before everyone had a phone?
What is the strangest thing that you have in common with a parent?
What was your plan when you were sixteen, and how is it going?
Which historical event would have been funnier with a kazoo band?
What is something that you will never again do "just for fun"?
What is the best excuse for being late that also happens to be true?
What do you say to a cat when nobody else is home?
What is the best advice you ever ignored?
How did you meet your oldest friend, and who spoke first?
What would the ghost in your house be tired of by now?
What is your favorite useless law of physics?
What have you been mispronouncing your whole life, and who finally told you?
What is something that everyone should do alone at least once?
Which of your opinions would surprise your friends the most?
What is the most trouble you have ever been in because of a sandwich?
How would you spend the day if you were invisible to everyone but dogs?
What is the oldest piece of clothing that you still wear, and what has it seen?
Which song should never be played at a wedding, but always is?
What is the best way to tell somebody that there is spinach in their teeth?
What did a teacher write in your school report that turned out to be true?
What is a perfectly good idea that nobody has had the courage to try?
What is the strangest thing you have ever been paid to do?
What small thing would you bring back from the moon?
Which villain had a good point?
What is the most peaceful place within an hour of your home?
How would you prove to your own family that you are really you?
What is your comfort movie, and how many times have you seen it?
What is the longest walk you ever took, and what were you walking away from?
What has a child told you that you will never be able to unhear?
What did you find out about your parents only after you had grown up?
What is the best thing about the town that everyone else makes fun of?
If you had to hide a giraffe for one night, where would you put it?
What is the first thing you would teach a robot?
What is the most polite way to say that the baby looks like a potato?
What do you know about your neighbors that they do not know you know?
What made you laugh at the worst possible moment?
If your dreams had reviews, what would the critics say?
What is something you should never have taught your parents to use?
Which of the four seasons would win in a fight, and how?
What would you cook for your worst enemy if you had to make peace over dinner?
What is your favorite thing to do on a day when you have nothing to do?
Who was the most interesting person you ever sat next to by accident?
What is the closest you have ever come to being famous?
What is a tradition that you would like to start, and who is invited?
What do you hope that nobody ever asks you about?
If the floor really was lava, how long would you last in your own home?
What is the fanciest word for something completely ordinary?
Which invention made you say "finally" out loud?
What is the best thing that your hands know how to make?
What question would tell you the most about a stranger?
What is the quietest thing that makes you furious?
What is the funniest thing you have seen a goose get away with?
What would you have done differently if you had known that it was the last time?
What is something small that you wish you had kept?
Which board game nearly ended your family?
What do you suspect that everyone else learned on a day when you were sick?
What should a person do at least once before breakfast?
What does your favorite mug say about you?
How do you know that you are home?
What is the most beautiful thing you have seen from a train window?
What joke have you told so often that your friends finish it for you?
Which bad habit of yours is actually your best feature?
What would you like to hear from the weather forecast just once?
What is your most successful failure?
""")
