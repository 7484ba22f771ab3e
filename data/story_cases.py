"""The cases of each plot of story_plots.py: who, what, where, and what is left of it afterwards.

The four of a plot happen in spring, summer, autumn and winter, in this order. `cast` names A, B and
C. `memory` is how people speak of it later, `after` what the teller sees of it.
"""

from __future__ import annotations

CASES = {
    "lost": """
title: The Missing Barometer
cast: Isko, Oda, Bram
thing: brass barometer
use: tells him every morning that it will rain
theory: it was taken by somebody who could not bear to know
spot: inside the big bread oven
reason: You put it down on the flour sacks to shake my hand, and the sacks went in by the back door.
    I dare say that it has been saying Very Dry ever since.
memory: the day the barometer was baked
after: The ferryman's barometer still said Very Dry, and he still did not believe it.

title: Half a Pair of Spectacles
cast: Hester, Abel, Fenn
thing: reading glass with the ivory handle
use: belonged to the first librarian
theory: a magpie has it, and is reading it to its young
spot: behind the pendulum of the chapel clock
reason: You lent it to me to look at a tooth of the great wheel, and I thanked you, and I hung it
    where it would be safe. It was so safe that I forgot it.
memory: the week the library could not read small print
after: Hester's reading glass now hung on a ribbon, and the ribbon on Hester.

title: The Tenor's Button
cast: Winifred, Pell, Juno
thing: silver button
use: came off a tenor's coat in Port Verity
theory: it was swallowed by somebody who is too polite to say so
spot: on the coat of the scarecrow in the schoolhouse garden
reason: You gave it to him yourself, in that great wind. You said that the poor fellow had nothing
    to hold him together. And then you bowed to him, and I held the umbrella.
memory: the hunt for the tenor's button
after: The scarecrow in the schoolhouse garden had been given a button of his own, a wooden one,
    with ceremony.

title: The Lucky Cork
cast: Tomas, Margit, Hester
thing: lucky cork
use: floated ashore when his grandfather did
theory: it has gone back to sea, where it was happiest
spot: under the short leg of Margit's workbench
reason: The bench was wobbling. You were telling the one about the squid, and it went on so long
    that I looked round for something of the right size.
memory: the day the workbench began to wobble again
after: The workbench at the boatyard stood on a folded chart now, and wobbled a little towards the
    west.
""",
    "animal": """
title: A Goat in the Counting House
cast: Bram, Fenn, Juno
animal: a goat with one horn
doing: ate the corner of the month of May
lure: a rolled-up tide table
end: She was called May from that day on, and went to live behind the ferry shed, where she kept the
    grass so short that Isko could see what he was missing.
memory: the morning the goat ate May
after: The goat stood on the roof of the ferry shed, as she did in most weathers, and looked down on
    everyone alike.

title: The Seal Who Came to Stay
cast: Pell, Tomas, Corbin
animal: a young seal
doing: lay down under the eye chart and sighed
lure: a low note, held for a long time
end: The doctor put two stitches in his flipper while he was not attending, and at high water they
    slid him off the end of the slip. He still puts up his head on Wednesdays, which are surgery
    days.
memory: the Wednesday of the seal
after: Out by the last mooring a round wet head came up, looked at the doctor's window, and went
    down again.

title: Eleven Geese
cast: Hester, Isko, Abel
animal: a goose, with ten more behind it
doing: walked past her into poetry
lure: the noon bell, rung backwards
end: They belonged to a farmer across the water who had not missed them, and said so. So they
    stayed, and walked to the library every day at noon, and every day Hester told them that they
    had no ticket.
memory: the noon the geese got into poetry
after: The geese went by in single file on their way to be turned away from the library.

title: The Parrot on the Organ
cast: Winifred, Bram, Oda
animal: a grey parrot
doing: said a word in front of the piano
lure: a currant bun without the bun
end: It turned out that he had come off a schooner and could sing the bass line of eleven hymns.
    Nobody ever claimed him, perhaps because of what he sang in between. He lives in the bakery, and
    calls the rolls.
memory: the evening the parrot joined the choir
after: From the bakery came the voice of the parrot, who was calling the price of yesterday's rolls.
""",
    "parcel": """
title: Fragile on One Side
cast: Margit, Abel, Oda
parcel: long and narrow, like a parcel for a flagpole
first: a flagpole
second: a heron, asleep
content: a telescope in a case of green leather
note: I no longer see well enough to use it. Look for me at the second star left of the chimney. I
    shall be looking back.
owner: Corbin, whose old teacher went across the sea
ending: He did not come down for supper, nor for breakfast. But the baker's girl, who left the rolls
    on his step, said that he had called out to her that it was there, it was exactly there, left of
    the chimney.
memory: the week that Corbin forgot to eat
after: At the top of the lighthouse there was a small round glint now, pointed at nothing that
    anyone else could see.

title: The Heaviest Letter
cast: Pell, Hester, Margit
parcel: square, and so heavy that two men had set it down on the ferry and refused to pick it up
    again
first: gold
second: a grindstone
content: forty-one notebooks, every page of them written full
note: These are all the weathers since I could write. Somebody ought to have them who looks up.
owner: Bram, who has been asking in vain for the years before his own
ending: The harbour office was lit all night. In the morning the harbour master was seen on the
    steps in his shirt sleeves, without a hat, telling the gulls that it had snowed here once in
    June.
memory: the day it came out that it had snowed in June
after: On the shelf in the harbour office there stood forty-one notebooks, and the harbour master
    dusted them by year.

title: A Cloud for an Address
cast: Oda, Tomas, Bram
parcel: flat and wide and done up in sailcloth
first: a picture
second: a very thin table
content: a kite, painted blue and gold, with a tail as long as the quay
note: For the boy who watched mine from the wall. I said that I would send it when I was done with
    it. I am eighty now, and done.
owner: Isko, who was a boy on that wall
ending: They saw it from the window, an hour later. It stood above Gannet Head, blue and gold, and
    pulled, and at the end of the string stood a gloomy man of sixty, running.
memory: the day Isko ran
after: On windy days there was a blue and gold kite above the ferry, although nobody was ever seen
    to hold it.

title: The Box That Ticked
cast: Hester, Winifred, Pell
parcel: no bigger than a loaf, and it ticked
first: a bomb, a small one
second: a beetle, a large one
content: a metronome, with a chip out of its foot
note: You left this on my piano when you went home to look after your mother. I have kept time with
    it for thirty years. Now you.
owner: Abel, who has never told anyone that he used to play
ending: There was no sound from the clock shop that evening until very late. Then there was a scale,
    with all the wrong notes in it, and then the same again with fewer.
memory: the night a scale was heard from the clock shop
after: From the clock shop there came a waltz, as there did every evening now, and it was almost in
    time.
""",
    "contest": """
title: Boats as Long as a Hand
cast: Juno, Bram, Corbin
contest: a race for boats no longer than a hand, from the slip to the steps
entry_a: a boat with three masts and a crew of ants
entry_b: a boat that was built exactly to the regulations
twist: The wind dropped. The boats stood still for an hour and a half, side by side, like two people
    who have run out of things to say. And then a duck came, took one in passing by the mast, and
    swam home with it past the post.
winner: the duck, and the boat it had in its beak
memory: the regatta that a duck won
after: On the mantelpiece at the ferry shed stood a very small cup with the name of a duck on it.

title: Marrows, Giant, Any Colour
cast: Abel, Fenn, Winifred
contest: a contest for the largest marrow
entry_a: a marrow that has been turned by a quarter every six hours
entry_b: a marrow that has had every postcard read to it
twist: There was a third marrow under the table. Nobody had brought it. It had a stalk, and the
    stalk had a leaf, and the leaf led out by the back to the rubbish heap behind the Kettle, where
    it had grown all summer without a kind word from anyone.
winner: the one that nobody helped
memory: the summer of the third marrow
after: Behind the Kettle they had put a small fence round the rubbish heap, out of respect.

title: The Great Chowder Trial
cast: Oda, Tomas, Pell
contest: a contest for the best chowder in the bay
entry_a: a chowder with saffron and a crust
entry_b: a chowder that has been on the fire since Tuesday
twist: The table, which had been lent by the schoolhouse and was meant for children, gave way in the
    middle, and both pots ran together in one great golden puddle. A dog tasted it. Then Juno did.
    Then nobody spoke for some time.
winner: both of you, for what is on the floor
memory: the chowder that was eaten off the quay
after: There was still a golden stain on the stones before the Kettle, and dogs from other villages
    came to see it.

title: Knots
cast: Margit, Isko, Hester
contest: a contest for the knot that nobody can undo
entry_a: a knot that has no name as yet
entry_b: an old one from the lid of a family tea tin
twist: A gust took the judge's shawl, and somebody grabbed the nearest rope, and the flag of
    Wrenmouth, which had been tied on with a bow, went up and away over the roofs. And both of them
    had knotted each other's sleeves to the table.
winner: the table, which nobody will be able to move again
memory: the day the flag flew off
after: The flag of Wrenmouth was a new one, a little too large, and sewn on.
""",
    "feud": """
title: The Ladder
cast: Oda, Margit, Pell
cause: Margit said that Oda's bread would make good ballast, and meant it kindly
jab: says ballast to a person's bread
trifle: a loaf in the shape of a boat
event: the big awning over the market tore loose in a squall with nine people under it
memory: the month of the ladder
after: Oda and Margit went by with a ladder between them, each at one end, both talking.

title: A Matter of Four Minutes
cast: Bram, Abel, Oda
cause: the harbour office and the clock shop were found to be four minutes apart, and neither would
    move
jab: would lend the time out at a loss
trifle: a pocket watch with two hands for the minutes
event: the old crane on the quay slipped its brake, with a load of slates over the children's end of
    the beach
memory: the month of the two noons
after: There were two noons in Wrenmouth to this day, but between the one and the other people had
    learned to have a cup of tea.

title: The Fish That Grew
cast: Tomas, Isko, Hester
cause: Tomas told the story of the great ling to strangers, and left out that it was Isko who had
    rowed
jab: rows through other people's stories with muddy boots
trifle: a drawing of a very large fish with two men in the boat
event: a fishing smack came in past the Head with nobody at the tiller and two boys asleep below
memory: the silence of Tomas
after: Over the bar of the Kettle hung a drawing of a fish, with two men in the boat, and the second
    man was the larger.

title: The Third Verse
cast: Winifred, Hester, Corbin
cause: Hester remarked, in front of the whole choir, that the third verse had been left out and that
    nobody had missed it
jab: counts verses
trifle: a song about an index
event: the chapel roof began to come in at choir practice, and somebody had to hold up the lamp
    while somebody sang the children out in step
memory: the winter without a third verse
after: The choir could be heard from the chapel, and it sang all the verses now, and then went back
    and sang one again.
""",
    "machine": """
title: An Engine for Toast
cast: Oda, Abel, Pell
machine: the Wind Toaster
purpose: makes forty slices at once from nothing but a breeze
wrong: the breeze became a wind, and toast began to come down all over Wrenmouth, buttered side
    first, as far as the chapel
use: it goes round with the wind, and stops when the wind stops, and in the cellar of the surgery
    there is a pump that nobody has had the time to work by hand
memory: the toast of the nineteenth
after: The sails of the Wind Toaster went slowly round on the roof of the surgery, and the cellar
    under it was dry.

title: The Herring Machine
cast: Tomas, Bram, Margit
machine: the Herring Machine
purpose: sorts a catch by length, weight and expression
wrong: it began to throw back the fish, and then the baskets, and then the hats of all who were
    standing in the front row
use: if it can throw a hat as far as the breakwater, it can throw a line to a boat
memory: the morning it rained hats
after: On the end of the breakwater stood what used to be the Herring Machine, oiled and covered,
    with a coil of rope beside it.

title: The Patent Fog Eater
cast: Isko, Corbin, Winifred
machine: the Fog Eater
purpose: sucks in the fog at one end and lets it out as dew at the other
wrong: it did the opposite, and for an hour and ten minutes there was not a soul in Wrenmouth who
    could see their own elbows
use: the sound that it made when it was angry went straight through the fog like a needle, and I was
    able to walk home along it
memory: the hour without elbows
after: In thick weather one could hear the Fog Eater now, two long and one short, from the top of
    the ferry shed.

title: The Sleeping Chair
cast: Hester, Oda, Abel
machine: the Sleeping Chair
purpose: rocks, hums, and turns the page
wrong: it started to rock so hard that it walked, and it walked out of the door, and down the hill,
    with the doctor in it, fast asleep
use: the doctor has slept. She went all the way down Ropewalk in it and over the kerb, and she did
    not wake, and there are nine mothers in this town with babies who do not sleep
memory: the day the doctor slept
after: A line of prams stood before the ferry shed, as it did at this hour every day, and inside
    something hummed.
""",
    "stranger": """
title: The Woman with the Birdcage
cast: Fenn, Hester, Oda
who: a woman in a grey travelling coat
luggage: an empty birdcage
sought: a house with a blue tree
clue: My mother drew it for me when I was ill, over and over. A white house, a red door, and a tree
    that was blue from top to bottom.
found: on the back wall of the bakery, under four coats of whitewash, where the last of the rain had
    washed a corner clean, there was a painted branch, and it was blue
story: She was the painter's girl. They paid her in bread. She told me that she had left a tree
    behind that would never lose its leaves, and I thought that it was only a thing one says to
    children.
ending: They washed the wall that same night, by lantern light, all of it. There were birds in the
    tree. The stranger left the cage behind, and its door open.
memory: the night they washed the wall
after: The blue tree stood on the wall of the bakery for everyone to see, and in the evening the
    light came into its leaves.

title: The Map on the Handkerchief
cast: Bram, Abel, Juno
who: a young woman with ink on her fingers
luggage: a handkerchief in a frame
sought: the treasure of Captain Lovelock
clue: He was my great-grandfather, and he never went to sea. He sewed this map. There are forty
    paces on it, and a cross, and a kind of spoon.
found: forty short paces from the chapel gate, such as a man takes who has a child by the hand,
    stood the old pump, with its long iron handle like a spoon, and into the stone below it two
    names were cut
story: He called himself captain because she did. She was six. This is where they went for water,
    and he made it last the whole morning. It says so on the hem, I always took that for a joke.
ending: She drank from the pump with both hands, and so did they all, one after the other, although
    most of them had drunk from it every day of their lives.
memory: the treasure of Captain Lovelock
after: Somebody had put fresh flowers by the pump, and somebody else had watered them.

title: The Man Who Had Been a Baby
cast: Isko, Pell, Margit
who: an elderly man with a very straight back
luggage: a drawer
sought: the chest to which this drawer belongs
clue: I was found in it, in the spring of the great flood, floating, with a spoon. They say that I
    was laughing.
found: in the corner of the boatyard, under paint pots, there was a chest with five drawers and one
    hole, and the hole was just of that size
story: I have had a good life. I do not want to know whose fault it was. I only wanted to see it
    closed, once.
ending: He slid it in, and it went home with a sound like a kiss. He stood there for a while with
    his hand on it. Then he pulled it out again, took it under his arm, and said that a man should
    not arrive without his luggage.
memory: the drawer that fitted
after: There was a chest at the boatyard with one drawer missing, and Margit would not hear of
    having it filled.

title: The Last Pupil
cast: Oda, Hester, Abel
who: a man with white gloves
luggage: a cello, in a case that was covered with labels
sought: a voice
clue: I heard it once, through a wall, when I was a poor student in Port Verity. I never saw her.
    She sang one song, every night at ten, and she always stopped before the end.
found: at ten o'clock, behind green shutters, somebody began to sing, very low, as one does who
    thinks that the street is empty
story: I learned the cello to find out how that song ends. I have played it in nineteen countries. I
    always stop where she stopped, and people think that it is my own idea.
ending: He played it in the street below the green shutters, and when he came to the place where it
    stops, the window opened, and it went on. It is not a long song. Nobody who was there has ever
    been able to hum it.
memory: the end of Winifred's song
after: At ten o'clock people in Widow's Lane had taken to leaving their windows open.
""",
    "secret": """
title: The Quiet Hammer
cast: Abel, Winifred, Oda
sign: for the first time in living memory the clock shop opened late, and the clockmender yawned
other: he had been asking people for their old bicycle bells
guess: must be making false money
truth: it is for the blind girl at number nine. She asked me what a sunrise is like. I thought that
    if one took forty bells, and let them begin very low, from the one side
day: the first morning of spring
ending: They stood in the yard of number nine in the dark and held their breath. It began so low
    that it was hardly a sound. And when it was all round them, and over them, the girl turned up
    her face, and said: now it is in my hair.
memory: the sunrise at number nine
after: At sunrise there were bells from the yard of number nine, and people who had no need to be
    awake woke for them.

title: The Doctor's Afternoons
cast: Pell, Bram, Winifred
sign: on three Wednesdays the surgery was shut at two, and there was wet sand on the step
other: she had asked at the shop for a large quantity of ribbon
guess: must be courting a pirate
truth: I cannot swim. I have lived by the sea for twenty years and told everybody that it is
    healthy, and I go out to the mud at low water to practise lying down. The ribbon is so that they
    can find me
day: Midsummer morning
ending: She walked into the sea in front of the entire town, in a bathing dress with ribbons on it,
    and she went under, and she came up, and she was swimming. It was four strokes. She said
    afterwards that she had prescribed herself five.
memory: the doctor's four strokes
after: Every morning now, in all weathers, a bathing cap with ribbons went out as far as the first
    mooring and back.

title: What Margit Carried Home
cast: Margit, Oda, Abel
sign: every evening at dusk she went home by way of the salt barn with something long under her coat
other: she had bought four pounds of horsehair, and she had no horse
guess: must be building a boat to leave us in
truth: I am making a fiddle. I have made nine. The first eight are in the stove. It is for the
    schoolhouse, they have had only the comb
day: the last day before the harvest holidays
ending: There were eleven children and one fiddle, and they had each learned four notes. But they
    stood in a row, and passed it along, and by the time it came to the end of the row it had been a
    tune.
memory: the tune that was passed along
after: From the schoolhouse came four notes, and then, after a pause in which something was handed
    over, four more.

title: Bread at Midnight
cast: Isko, Hester, Margit
sign: there was a light on the ferry long after the last crossing, and a smell of something burning
other: he had been seen to smile at an onion
guess: must be dying, and cheerful about it
truth: I am learning to cook. The girl is to be twelve, and she has never had a birthday cake that
    was not made by somebody else. This one is the fourteenth. The others floated
day: Juno's birthday
ending: It was black on one side, and it leaned. There were twelve candles, and eleven of them lit.
    Juno ate three slices, looked at her uncle, and said that it was the first cake she had ever had
    that tasted of the ferry.
memory: the cake that leaned
after: On the ferry they served cake on Sundays now, by the slice, without comment.
""",
    "repair": """
title: The Clock That Stood at Noon
cast: Corbin, Abel, Bram
thing: the chapel clock
symptom: says noon, and it says it all day
trouble: Nobody knew when to stop for dinner, and so nobody did. The hens stood before the kitchen
    doors, and went away, and came again. At the schoolhouse it had been arithmetic for nine hours.
cause: In the very heart of it, on the axle of the great wheel, a wren had built her nest, and there
    were five eggs in it.
fix: They voted on it. It was decided, against one, that it should be noon in Wrenmouth for three
    more weeks, until the last of them had flown. The one was the youngest boy in the arithmetic
    class.
memory: the three weeks of noon
after: There was a wren on the hand of the chapel clock, riding slowly from two o'clock to three.

title: The Pump
cast: Oda, Margit, Winifred
thing: the pump at the foot of Cooper's Steps
symptom: goes up and down, and it sighs, and there is nothing
trouble: There was no water for the bread, and so there was no bread. There was no water for the
    tea, and so there was no conversation.
cause: Far down, across the pipe, lay a doll made of lead, with a painted smile, that had been
    looking up at the light for a hundred years.
fix: The leather of the valve was past saving, and it was the tongue of Winifred's left dancing shoe
    that saved it. She cut it out herself, with closed eyes.
memory: the day the pump gave up the doll
after: The pump had a new handle and a slight limp in its stroke, as of somebody dancing in one
    shoe.

title: The Harmonium
cast: Winifred, Abel, Hester
thing: the harmonium in the chapel
symptom: takes a breath, and holds it, and then lets it go in the wrong key
trouble: They tried to sing without it, and found out how many of them had only ever followed. A
    funeral had to be put off, with the agreement of all concerned.
cause: A pupil of long ago had posted a letter through the slit above the pedals, and it had slipped
    down until it lay across the reed of the lowest note. It began: Dear Winifred.
fix: Nothing was needed but to take the letter out, and to give it to her. She read it, and read it
    again, and then sat down and played the lowest note for so long that dogs lay down.
memory: the letter in the harmonium
after: The harmonium had been heard on a weekday, with nobody there but Winifred, who was playing
    only the lowest note.

title: The Bell Buoy
cast: Isko, Pell, Tomas
thing: the bell buoy off the bar
symptom: rocks and rocks, and it says nothing at all
trouble: Those who lived on the harbour side could not sleep for the quiet. Isko went across by
    feel, and met himself twice.
cause: The clapper was wrapped, quite neatly, in a knitted stocking of great length, and in the toe
    of the stocking was an orange.
fix: The stocking went to the youngest child in Ropewalk and the orange was shared, and the clapper,
    which was worn to a pin, was bound with wire and the doctor's second-best hammer, the one for
    knees.
memory: the Christmas of the silent buoy
after: Far out, the bell buoy said its one word, in the voice of a hammer for knees.
""",
    "rumour": """
title: The Sinking of Ropewalk
cast: Margit, Abel, Hester
remark: If they put one more stone on that wall, the whole of Ropewalk will be under it by spring.
first: the whole of Ropewalk will be under water by spring
second: Ropewalk has been sinking for years, and it was kept from us because of the house prices
third: the hill is hollow, the sea is in it, and on Thursday it will come out
truth: they should not pile stones against my shed, because the wall leans
memory: the Thursday when the hill was hollow
after: In Ropewalk there were still boats tied to some of the door handles, for one never knows.

title: The King Is Coming
cast: Oda, Hester, Pell
remark: I must fly, I am expecting a king-size mattress on the noon ferry, and the step is not
    swept.
first: there is a king expected on the noon ferry
second: there is a king coming, with his court, and they sleep on the ferry
third: two kings are to land at Wrenmouth, to make peace, and they want it quiet
truth: I was getting a mattress. King-size. I have a bad back
memory: the visit of the two kings
after: They had never taken down the sign that said Welcome, Both of You, and visitors were pleased
    with it.

title: The Engagement
cast: Corbin, Pell, Margit
remark: I am engaged on Saturday, I am sorry, or I would come and help you with the shelves.
first: the lighthouse keeper is engaged, and on a Saturday
second: Corbin is to be married on Saturday to somebody with shelves
third: the bride is a baroness, she has four thousand books, and she is afraid of heights
truth: I had something on. It was the stairs. I wash them on Saturdays
memory: the wedding of the hundred and twelve stairs
after: There was still some ribbon on the gate of the lighthouse, and Corbin, who was shy, had not
    liked to take it down.

title: Gold
cast: Abel, Oda, Corbin
remark: It is a pity about the old weathercock. There is gold in it, you know, under the green.
first: there is gold under the green
second: there is gold under the village green, a whole chest of it, and the clockmender has the map
third: nobody may dig on the green before sunrise, and then it is everyone for himself
truth: the weathercock is gilded, and it wants a polish. The green is only verdigris
memory: the digging of the green
after: The green had never recovered, and so they had made a pond of it, and the ducks thought that
    it had been done for them.
""",
    "swap": """
title: A Coat with Brass Buttons
cast: Fenn, Bram, Hester
want: the long blue coat in the harbour office, with brass buttons
since: he was seven years old, and it walked past him with a captain in it
have: a jar of pickled walnuts
one: an oar, without its brother
two: a stuffed owl
three: a bicycle for two
verdict: Fenn, that is my bicycle. It was taken from me when I was nineteen. And so was the girl on
    the back. Take the coat.
ending: He wore it on his round the next day. It came down to his heels and caught in the chain, and
    people saluted. On Sunday the bicycle for two went by along the sea wall, with the harbour
    master in front and nobody behind, keeping to the left.
memory: the day Fenn was a captain
after: The harbour master rode by on the bicycle for two, ringing at the bends out of courtesy.

title: The Smallest Boat
cast: Juno, Corbin, Isko
want: the model of the Patience, in the window of the lighthouse, with all its ropes
since: she could see over a windowsill
have: a tooth
one: a bag of marbles with a crack in every one
two: a barrel organ that plays backwards
three: a bed that folds up into a trunk
verdict: I have slept on a shelf since I came here. I did not know that it showed. Here, take her,
    and mind the rigging.
ending: He slept until ten, and for once it was the lamp that waited for him. The Patience hangs in
    Juno's window, and in the evening, when the light comes round, she sails across the wall.
memory: the voyage of the smallest boat
after: There was a small ship in the window of the ferry shed, and once in every minute it sailed.

title: A Week Without Clocks
cast: Abel, Isko, Fenn
want: one ticket to the other side and back, for every day of a week
since: he had worked out that he had never been away
have: a cuckoo that comes out at the wrong time
one: eleven yards of very good fog-coloured cloth
two: a drum
three: a stove, with a lion on the door
verdict: A stove. On the ferry. I shall be warm, and I shall have nothing to say about it. Get in.
ending: He went across on Monday, and stood on the other side, and looked at Wrenmouth. He did the
    same on each day of that week. He said that it was slow by about a minute, seen from there, and
    that he had grown very fond of it.
memory: the travels of Abel Gorse
after: The stove on the ferry was lit, and through the open door of it one saw the fire, and on the
    door the lion.

title: The Book with the Lock
cast: Oda, Hester, Juno
want: the cookery book with the lock on it, which the library had never lent to anyone
since: her grandmother had spoken of page ninety, and blushed
have: a basket of rolls from the day before
one: a left boot
two: a weathervane in the form of a hare
three: a key, quite a small one, on a very long string
verdict: I have had this book for thirty years, and I have never once seen the inside of it. Do you
    mean to say that we may look?
ending: Page ninety was a recipe for rolls from the day before. At the foot of it stood, in brown
    ink: for those who stay to breakfast. They made it that same evening, and stayed.
memory: the opening of page ninety
after: The bakery sold a thing on Sundays that was called a Ninety, and nobody would say what was in
    it.
""",
}
