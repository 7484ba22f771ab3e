"""The word lists and tables that the title templates draw from (notation: see grammar.py)."""

from __future__ import annotations

from grammar import table, word_lists

TABLES = {
    # people: as a group; one: with its article; place: where they find strange things.
    "job": table("""
people; one; client; clients; place
teachers; a teacher; student; students; in a classroom
nurses; a nurse; patient; patients; at the end of a night shift
librarians; a librarian; visitor; visitors; between the pages of a returned book
bakers; a baker; customer; customers; in a bakery
bus drivers; a bus driver; passenger; passengers; on the back seat of a bus
flight attendants; a flight attendant; passenger; passengers; under an airplane seat
pilots; a pilot; passenger; passengers; in a cockpit
veterinarians; a veterinarian; pet owner; pet owners; in the stomach of a dog
dentists; a dentist; patient; patients; in a waiting room
hairdressers; a hairdresser; client; clients; in somebody's hair
plumbers; a plumber; customer; customers; in a drain
electricians; an electrician; customer; customers; inside a wall
wedding planners; a wedding planner; couple; couples; on the dance floor after a wedding
photographers; a photographer; client; clients; in the background of a photo
zookeepers; a zookeeper; visitor; visitors; in an enclosure
museum guards; a museum guard; visitor; visitors; in a museum after closing time
hotel receptionists; a hotel receptionist; guest; guests; in an empty hotel room
waiters; a waiter; diner; diners; under a restaurant table
baristas; a barista; customer; customers; on a coffee shop table
taxi drivers; a taxi driver; passenger; passengers; in the back of a taxi
mechanics; a mechanic; car owner; car owners; under the hood of a car
lifeguards; a lifeguard; swimmer; swimmers; at the bottom of a pool
piano teachers; a piano teacher; student; students; inside a piano
tour guides; a tour guide; tourist; tourists; on a tour bus
gardeners; a gardener; client; clients; under a rose bush
real estate agents; a real estate agent; buyer; buyers; in an empty house
movers; a mover; customer; customers; behind a sofa
tailors; a tailor; customer; customers; in a coat pocket
florists; a florist; customer; customers; in a delivery of flowers
call center workers; a call center worker; caller; callers; in a desk drawer
computer repairers; a computer repairer; customer; customers; inside a computer
camp counselors; a camp counselor; camper; campers; in a tent
park rangers; a park ranger; hiker; hikers; on a trail
supermarket cashiers; a supermarket cashier; shopper; shoppers; in a shopping cart
theater ushers; a theater usher; theatergoer; theatergoers; under a theater seat
driving instructors; a driving instructor; student; students; on the road
dog groomers; a dog groomer; dog owner; dog owners; in the coat of a poodle
mail carriers; a mail carrier; dog owner; dog owners; in a mailbox
swimming teachers; a swimming teacher; student; students; in a locker room
train conductors; a train conductor; passenger; passengers; on a luggage rack
house painters; a house painter; customer; customers; under old wallpaper
toy store clerks; a toy store clerk; young customer; young customers; on a toy store shelf
bookstore owners; a bookstore owner; customer; customers; in a secondhand book
"""),
    # two matched halves of one thought
    "seems": table("""
first; second
dangerous; perfectly safe
harmless; surprisingly dangerous
boring; fascinating
fascinating; very dull
easy; extremely difficult
difficult; quite easy
made up; completely real
ancient; quite modern
modern; hundreds of years old
fancy; very ordinary
"""),
    "visitor": table("""
who; gift; verb
a time traveler from the year 2300; one honest answer; ask
a very old tortoise that can talk; one piece of advice; ask about
your future self; ten minutes of conversation; ask
a friendly alien; one object from another planet; choose
a retired wizard; one small spell; choose
an extremely bored genie; half a wish; do with it
a ghost who used to own your house; one secret about it; ask
your great-grandmother at the age of twenty; one evening together; do with it
the author of your favorite book; one extra chapter; ask for
a museum director; any one object to keep at home; choose
a famous chef; one dish, made just for you; ask for
the owner of your favorite restaurant; one recipe; ask for
"""),
}

WORDS = word_lists("""
event: moving to a new city | becoming a parent | starting a new job | turning thirty | learning to
    drive as an adult | adopting a dog | living alone | getting married | buying a house | retiring
    | leaving home | changing careers in your forties | going back to school as an adult | becoming
    a grandparent | learning a second language | deleting your social media accounts | training for
    a marathon | renovating an old house | moving in with a partner | studying abroad | working from
    home | starting a small business | growing your own vegetables | living with roommates | raising
    teenagers | keeping chickens | getting glasses for the first time | singing in a choir | turning
    fifty | having twins | living in a very small town | writing a book | learning an instrument as
    an adult | traveling alone | living without a car | becoming the boss | owning a cat

milestone: becoming a parent | living alone | changing careers | moving to a new city | retiring |
    raising teenagers | leaving home | learning a second language | working from home | starting a
    small business | turning fifty | going back to school as an adult | becoming a grandparent |
    becoming the boss | living abroad | quitting social media

group: introverts | left-handed people | night owls | early risers | only children | middle children
    | twins | grandparents | dog owners | cat owners | very tall people | short people | bilingual
    people | vegetarians | redheads | youngest siblings | oldest siblings | light sleepers | new
    parents | perfectionists | marathon runners | chess players | crossword fans | shy people |
    knitters | stamp collectors | retired people | people who live on islands | people from very
    small towns | people who work from home | people with very common names | people with unusual
    names | people who never learned to drive | people with no sense of direction | people who
    cannot cook | people who grew up on a farm | people who grew up without television | people who
    live next to a school | people who are always early | people who wear glasses | people from huge
    families | people who faint at the sight of blood

called: introverts of Reddit | left-handed people of Reddit | night owls of Reddit | early risers of
    Reddit | only children of Reddit | middle children of Reddit | twins of Reddit | grandparents of
    Reddit | dog owners of Reddit | cat owners of Reddit | very tall people of Reddit | short people
    of Reddit | bilingual people of Reddit | vegetarians of Reddit | redheads of Reddit | youngest
    siblings of Reddit | oldest siblings of Reddit | light sleepers of Reddit | new parents of
    Reddit | perfectionists of Reddit | marathon runners of Reddit | chess players of Reddit |
    crossword fans of Reddit | shy people of Reddit | knitters of Reddit | stamp collectors of
    Reddit | retired people of Reddit | people who live on islands | people from very small towns |
    people who work from home | people with very common names | people with unusual names | people
    who never learned to drive | people with no sense of direction | people who cannot cook | people
    who grew up on a farm | people who grew up without television | people who live next to a school
    | people who are always early | people who wear glasses | people from huge families | people who
    faint at the sight of blood

turn: left a big city for the countryside | moved abroad without knowing anyone | quit a well-paid
    job to do something they love | stopped using a smartphone | gave up sugar for a year | took a
    year off to travel | went back to college after forty | moved back to their hometown | sold
    their car and bought a bicycle | built their own house | married their high school sweetheart |
    started over in a new career | live on a boat | left an office job to teach | adopted an older
    dog | opened a restaurant | moved in next door to their parents | joined the circus, or
    something close to it | learned to swim as an adult | cut their own hair for a year | moved to
    an island | gave away most of what they own | named their child after a fictional character |
    went on a blind date and married the person | dropped out to start a company | walked across an
    entire country | work at night and sleep during the day

habit: put the milk in before the cereal | clap when the plane lands | eat pizza with a fork | never
    finish a glass of water | set twelve alarms every morning | read the last page first | keep the
    plastic on the remote control | arrive at the airport four hours early | reply "you too" when
    the waiter says to enjoy the meal | back into every parking space | peel a banana from the
    bottom | have nine thousand unread emails | wear socks to bed | use one towel for everything |
    stand up the second the plane stops | keep every cardboard box "just in case" | put ketchup on
    eggs | iron their jeans | bite straight into string cheese | never use the turn signal | eat
    kiwis with the skin on | send voice messages longer than five minutes | eat the same lunch every
    day | start singing Christmas songs in September | use a different mug for every drink | talk
    during movies | name their house plants | shower in complete darkness | leave one second on the
    microwave | hum without noticing

era: the Middle Ages | ancient Rome | the 1920s | the Victorian era | ancient Egypt | the
    Renaissance | the Stone Age | the age of the Vikings | the Wild West | the 1950s | the age of
    sail | eighteenth-century Paris

decade: the 1960s | the 1970s | the 1980s | the 1990s | the early 2000s

animal: a penguin | a llama | a very calm owl | a large goose | an otter | a family of raccoons | a
    confused flamingo | a baby elephant | a polite bear | a peacock | a parrot | an armadillo | a
    small goat | a sleepy koala | a hedgehog | a swan | a wet dog you do not know | a tortoise | a
    very smug cat | a pelican | a donkey | an octopus in a bucket

animals: geese | cats | squirrels | octopuses | crows | penguins | raccoons | goats | pigeons |
    dolphins | owls | sheep | parrots | ants | hamsters | horses | bees | sloths | otters | golden
    retrievers | flamingos | turtles

spot: sitting at your kitchen table | asleep in your bathtub | watching your television | reading
    your mail | wearing your favorite hat | on top of your refrigerator | making pancakes | going
    through your closet | rearranging your furniture | looking at you from your sofa | eating your
    leftovers | in the driver's seat of your car

foe: an army of angry geese | twenty very determined toddlers | a medieval knight | one enormous
    crab | a swarm of butterflies | your gym teacher | a vampire with good manners | a hundred
    windup toys | a very fast snail | an ordinary bear | a ninja with a cold | a robot vacuum
    cleaner | three pirates | your own reflection

weapon: the last thing you bought | the object closest to your left hand | the last thing you ate |
    your favorite childhood toy | whatever is in your refrigerator | the nearest book | the contents
    of your pockets | the last gift you received | the oldest thing you own | your favorite mug

power: fly | become invisible | read minds | talk to animals | freeze time | speak every language |
    breathe under water | see one day into the future | live without sleep | find anything that is
    lost | walk through walls | change the weather | make plants grow | understand babies | turn
    water into soup | teleport

catch: but only on Tuesdays | but only while you are humming | but you have to apologize to a pigeon
    first | but only in wet socks | but only for eleven seconds at a time | but only within sight of
    a supermarket | but everyone nearby starts to yodel | but only while sneezing | but your shoes
    disappear every time | but a brass band always announces it | but only when you are extremely
    hungry | but your mother gets a message about it every time | but you must do a cartwheel first
    | but only in the dark | but you smell of onions for a day | but only while holding a live
    chicken

dare: sing everything you say | do without chairs | sleep in a tent in your own garden | be followed
    by a brass band | wear a wizard's hat to every meeting | eat only orange food | share your home
    with forty ducks | speak only in questions | walk everywhere backwards | give up music | live
    without mirrors | shake hands with everyone you pass | wear shoes two sizes too big | eat every
    meal standing up | live in a department store | bring a goat to work | narrate your own life out
    loud | live without any kind of screen | laugh at every joke your boss makes | answer every
    phone call within two rings

money: five hundred dollars | ten thousand dollars | a hundred thousand dollars | a million dollars
    | ten million dollars | free rent | a small castle | free ice cream for life

period: a week | a month | six months | a year | five years

prize: a small island | a haunted hotel | a struggling zoo | a lighthouse | an empty train station |
    an old movie theater | a castle with a leaking roof | a vineyard | a traveling circus | a
    village post office | a submarine | a hot-air balloon company | a bowling alley | a ski resort
    with no snow | a ghost town | a failing newspaper | a houseboat | a museum of umbrellas | an ice
    cream factory

condition: you may never sell it | the only staff are raccoons | you have to live there | your least
    favorite teacher owns the other half | nobody may ever know that it is yours | it has to make
    money within a month | there is a ghost who is bad at its job | your entire family moves in too
    | you have to run it with your ex | it is open to visitors every single day | it comes with a
    very demanding parrot

concept: snow | the ocean | a selfie | a traffic jam | the smell of rain | the internet | small talk
    | homesickness | a roller coaster | coffee | a password | camping | music | a mortgage | sarcasm
    | an escalator | nostalgia | the color blue | a video call | weekend brunch | a surprise party |
    online dating

audience: a medieval farmer | a curious alien | a five-year-old | a pirate | a cave painter | your
    dog | a ghost from the 1700s | a very literal robot | a Roman emperor | a judge | someone who
    has been asleep since 1985 | a Viking | your great-great-grandparents | a goldfish with a short
    memory

persona: a pirate | a sports commentator | a weather forecaster | a nervous waiter | a
    fortune-teller | a very tired parent | a medieval knight | a movie trailer narrator | a museum
    guide | a kindergarten teacher | a suspicious detective | a talk show host | a yoga instructor |
    a grumpy wizard | a politician | a nature documentary narrator | a ghost who has been waiting a
    long time

goods: a used umbrella | one left sock | a broken alarm clock | an empty shoebox | a rubber duck |
    last year's calendar | a bag of ice in winter | a spoon with a hole in it | a single grape | a
    jar of air | a blank map | a squeaky chair | a cracked mug | a photo of somebody's uncle | a
    candle that smells of nothing | a very small hat | a stick | half a sandwich

topic: breakfast | pizza toppings | cheese | airplane etiquette | alarm clocks | houseplants |
    weddings | birthday parties | camping | group chats | museums | winter | beaches | board games |
    coffee | superhero movies | musicals | cats | small talk | open offices | New Year's Eve |
    karaoke | self-checkout machines | leftovers | public speaking | amusement parks | soup |
    sleeping with the window open | socks | ice in drinks | reality television | gift cards | road
    trips

domain: adulthood | parenting | office life | family dinners | college | owning a home | growing
    older | long relationships | the animal kingdom | air travel | gardening | the grocery store |
    group projects | weddings | job hunting | learning to cook | small-town life | camping trips

thing: check engine light | free sample | fine print | final boss | loading screen | tutorial level
    | participation trophy | Mount Everest | software update | blooper reel | surprise quiz | secret
    menu | snooze button | lost-and-found box | user manual

sphere: elevators | weddings | supermarkets | airports | chess | birthday parties | office meetings
    | grocery shopping | first dates | family reunions | public transportation | haircuts | board
    game nights | golf | job interviews | parking lots | dinner parties | potlucks | the Olympic
    Games | school cafeterias | movie theaters | gyms

role: dentist | spy | babysitter | mayor | therapist | flight attendant | wedding singer | detective
    | kindergarten teacher | lifeguard | judge | talk show host | private chef | tour guide |
    librarian | roommate | personal trainer | crossing guard | magician | football coach | weather
    forecaster | taxi driver

kind: animal | vegetable | kitchen appliance | musical instrument | piece of furniture | insect |
    household pet | planet | fairy-tale character | breakfast food | sea creature | board game |
    Greek god | dinosaur

rule: whisper | sing | wear roller skates | speak in rhyme | work in complete darkness | stay in bed
    | work alongside their parents | dress as their favorite animal | explain everything they do out
    loud | walk in slow motion | wear a cape | say exactly what they are thinking | bring their pets
    | take advice from toddlers | wear oven mitts | ask permission from a cat

feeling: nostalgia | homesickness | being in love | stage fright | a deadline | Monday morning |
    Sunday evening | the last day of school | curiosity | boredom | jealousy | relief | a long car
    ride | your childhood | the week between Christmas and New Year's Day | gratitude

hardship: a very hard year | a broken heart | loneliness | burnout | losing a friend | a long
    illness | moving far from home | losing a job | the loss of a parent | a season of bad luck |
    homesickness | a lack of confidence | a divorce | failing an exam | empty-nest syndrome | a long
    winter

effect: makes you feel at home at once | reminds you of your grandparents | makes you feel twelve
    years old again | always calms you down | makes you a little sad | brings back your first summer
    job | puts you in a good mood within seconds | makes you think of someone you lost touch with |
    will you never get tired of | would you miss most on a desert island | reminds you of winter |
    gives you courage

asked: your ten-year-old self | your great-grandparents | the last person on Earth | your favorite
    author | your pet | your best friend in forty years | the tallest tree on Earth | the inventor
    of the alarm clock | your house | your neighbors | an old sea captain | the person who taught
    you to read | your favorite actor | a shark | the oldest person alive | an astronaut on the way
    home | your phone | your future grandchildren

talker: toaster | refrigerator | alarm clock | mirror | car | sofa | phone | bathroom scale | winter
    coat | front door | washing machine | houseplant | dog | cat | left shoe | pillow | wallet |
    office chair | bicycle | backpack | bookshelf | smoke detector

learner: teenager | college freshman | new parent | newlywed couple | pet owner | home cook | office
    worker | tourist | retiree | homeowner | adult | grandparent | traveler | bride or groom

store: a supermarket | a hardware store | a furniture store | a bakery | a bookstore | a garden
    center | a museum gift shop | a toy store | a library | a gas station | a shoe store | an
    aquarium

realize: you had turned into your parents | you were no longer the young one at work | your parents
    were just ordinary people | you were the difficult neighbor | you had picked the wrong career |
    you had been singing the wrong words for years | your best friend was a friend for life | it was
    time to move out | you had been wrong about someone | your cat was in charge | you were good at
    your job | you had no idea how taxes work | your family was a little odd | you had found your
    home | you needed glasses | the party was over | you had become a regular somewhere | you were
    finally over your ex | your childhood had ended | you were in the wrong meeting | your hometown
    had changed for good | you could not cook as well as you thought | your teacher had been right
    all along | your body was not twenty anymore | you were the responsible adult in the room |
    everyone else was just guessing too

petty: stopped talking to someone | left a party early | quit a hobby | chose a restaurant |
    disliked a teacher | refused to see a movie | changed seats on a train | moved out | voted for
    someone in a school election | took the long way home | joined a club | ended a date | switched
    dentists | bought a new phone | learned a new skill | avoided a neighbor | unfollowed a friend |
    picked a college

longest: waited in line | held a grudge | kept a secret | driven for a meal | gone without your
    phone | worn the same sweater | pretended to like something | put off a phone call | kept a New
    Year's resolution | stayed awake | stayed mad at a machine | gone without speaking | kept a
    houseplant alive | waited for a reply | saved up for something | put off a trip to the dentist |
    walked in one day | kept a library book

worst: name for a boat | ice cream flavor | theme for a wedding | slogan for a dentist | name for a
    restaurant | thing to say in an elevator | first words on the moon | ringtone in a library |
    pizza topping | title for a children's book | thing to be allergic to | gift for a boss | song
    for a first dance | name for a racehorse | motto for a small town | thing to inherit | time to
    get the hiccups | souvenir from a vacation | message in a fortune cookie | sound for a car horn
    | password hint | thing to collect | mascot for a school | way to announce a pregnancy |
    background music for a job interview | name for a perfume | thing to find in a picnic basket |
    excuse for being late

pet: very serious goose | three-legged cat | pet rock | robot vacuum cleaner | family of ducks |
    grumpy parrot | tiny horse | retired racing greyhound | snail | sourdough starter | goldfish
    with attitude | hedgehog | goat who eats everything | lazy bulldog | small blue car | nervous
    ghost | boat that leaks | old tractor | parrot who has lost its pirate | cactus

childish: the moon | adults | money | where rain comes from | how television works | your teachers |
    what was under your bed | the radio | quicksand | growing old | other countries | what your
    parents did all day | swallowing seeds | dinosaurs | how movies are made | the ocean | thunder |
    what happened at night in the toy store | how babies learn to talk

pay: paying extra for | buying secondhand | making from scratch | repairing | waiting for | driving
    across town for | packing on every trip | learning by heart | writing down | apologizing for |
    getting up early for | arguing about | saving up for

skill: cook at least three good meals | apologize properly | read a map | change a tire | say no |
    sew on a button | write a thank-you note | make a stranger feel welcome | save money | do first
    aid | admit a mistake | make good coffee | ask for help | swim | keep a plant alive | tell a
    story well | end a phone call | take criticism | pack a suitcase | remember names

proper: eat a kiwi | fold a fitted sheet | load a dishwasher | hang toilet paper | make a sandwich |
    eat a cupcake | pack a suitcase | peel an orange | make tea | pronounce "gif" | boil an egg |
    tie a scarf | wrap a present | arrange books on a shelf | squeeze a tube of toothpaste | eat
    corn on the cob | cut a sandwich | put on a duvet cover | make a bed | sneeze in public

settle: is a hot dog a sandwich | is cereal a kind of soup | is a tomato a fruit in a salad | should
    toilet paper hang over or under | is it fine to recline your seat on a plane | do pancakes beat
    waffles | may you put pineapple on a pizza | is water wet | should the thermostat be set by the
    coldest person in the house | are birds judging us | does the middle seat get both armrests |
    are muffins just cupcakes without frosting | is it ever too early for Christmas music | should
    socks match | is a straw one hole or two | may you open presents on Christmas Eve | is the book
    always better than the movie | is a burrito a wrap | does a fish know that it is wet | are
    leftovers better than the meal | should you wash the dishes before the dishwasher does | is golf
    a sport or a long walk

cure: cannot fall asleep | are stuck in traffic | have had a terrible day | feel homesick | have to
    wait for hours | are nervous before a big day | are snowed in | win an argument | have the house
    to yourself | cannot decide what to eat | are the only one awake | need to look busy at work |
    forget someone's name | have one free hour | are hiding from guests

ruin: a perfectly good morning | a first date | a family dinner | a road trip | a friendship | a pot
    of soup | a wedding speech | a picnic | a good night's sleep | a surprise party | a quiet Sunday
    | a job interview | a camping trip | a barbecue | a birthday party

judge: a restaurant | a roommate | a landlord | a workplace | a hotel | a neighborhood | a dentist |
    a used car ad | a gym | a babysitter | a dating profile | a bookstore | a bakery | a hair salon
    | a school | a summer camp | a tour guide | a recipe blog | a moving company

clumsy: hurt yourself | lost your keys | been late for work | wasted an afternoon | met a friend |
    won an argument | broken a phone | ruined a meal | been woken up | gotten lost | spent money |
    scared yourself | made someone laugh | embarrassed your children | missed a train | spoiled a
    surprise | locked yourself out | lost a bet

scream: I just moved out of my parents' house | I have no idea what I am doing | I am on vacation |
    I peaked in high school | I am the oldest sibling | I grew up in the countryside | I have small
    children | I work in an office | I own far too many plants | I am a morning person | I was
    raised by my grandparents | I have never cooked before | I just got a new job | I am trying very
    hard to be cool | I should not be in charge | I grew up in the 1990s | I have given up on this
    week | I read one book about it | I am secretly rich | I miss my dog

note: you have been sitting in my chair for nine years | do not trust the goose | they know about
    the soup | thank you for the piano | look behind the clock | it was not my llama | we are out of
    milk and out of time | please return my eyebrows | meet me where we buried it | congratulations
    on the triplets | the password is still cucumber | run, but not too fast | I forgive you for the
    sandwich | your turn to feed him | you dropped this in 1974 | the third drawer, never the second
    | the wedding is back on | you left the oven on in Paris

finder: in a library book | in the pocket of a secondhand coat | under your windshield wiper |
    inside a fortune cookie | on your own refrigerator | taped to the bottom of your desk | behind
    an old picture frame | in a bottle on the beach | in your lunch box | under your hotel pillow

opener: I knew it was a bad idea when | My mother still does not know that | I would have gotten
    away with it if | Nobody told me that adults | The best money I ever spent was on | The
    neighbors stopped waving after | I have not been allowed back since | It all started with a
    coupon for | I should have turned around as soon as | My teachers would be surprised to hear
    that | The wedding was going well until | In my defense, nobody had said that | My family will
    never let me forget | I was today years old when I learned

news: take up birdwatching | eat breakfast for dinner | get up at five in the morning | adopt a goat
    | move to a lighthouse | learn the accordion | give up television | visit your hometown | read
    your favorite book | join a choir | go camping in November | watch your favorite movie | become
    a vegetarian | start a garden | learn a dead language | go on a cruise | sleep outdoors | take
    the stairs forever | write letters by hand | try your favorite hobby

manner: in one sentence | in exactly five words | using only food words | like a used car salesman |
    as if your life depended on it | without using the letter E | in the form of a weather report |
    like a fairy tale | in the voice of your grandmother | as badly as possible | in three words

story: your favorite movie | your job | your first love | your hometown | the last book you read |
    your childhood | your week | your favorite holiday | your worst vacation | your family | the
    last wedding you attended | your best friend | the way you met your partner | your morning
    routine | your favorite video game | your pet | your first apartment | your time in high school

advised: new parents | people who just moved out | high school seniors | newlyweds | first-time
    travelers | people learning to cook | new dog owners | people in their twenties | future
    grandparents | people about to turn forty | beginners at your hobby | new students | first-time
    home buyers | people starting their first job | the class of this year | shy people | people who
    cannot say no

firsts: record, tape or CD you bought | meal you learned to cook | thing you bought with your own
    money | movie that scared you | joke you learned | job you were paid for | song you knew by
    heart | video game you loved | lie you were caught telling | book that kept you up all night |
    big purchase you regretted | nickname you were given | trip you took without your parents |
    thing you remember wanting to be when you grew up | phone you owned | concert you went to |
    house you remember living in | dish you ever burned

season: a summer evening | the first snow | a rainy Sunday | early spring | a school morning | an
    autumn forest | the night before Christmas | your grandparents' kitchen | a long train ride |
    the last day of vacation | a small town at night | the seaside in winter | a farmers market | an
    old library | a campfire | a big city at dawn

character: detective | villain | wizard | robot | teacher | dog | superhero | pirate | butler |
    spaceship captain | vampire | dragon | king or queen | cartoon character | talking animal |
    ghost

alone: in a waiting room | in an empty hallway | in a full elevator | in a silent library | in a
    dark movie theater | on a crowded train | in a fancy restaurant | on a night bus | at a job
    interview | in church | in a sauna | on a ski lift | in a voting booth | during a minute of
    silence
""")
