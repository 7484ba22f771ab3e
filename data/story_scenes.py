"""What stands round the plots: how a part begins and ends, and small scenes between two people.

`{memory}` is something that happened in an earlier part, or long before the first. Scenes are
parted by `/`; a part of the long story has its title and traces above `---`, its speeches below.
"""

from __future__ import annotations

from grammar import word_lists

SEASONS = ("spring", "summer", "autumn", "winter")

# One of each season, then one of `doing`, open a part.
SCENERY = word_lists("""
spring: The ice had gone out of the rain. | It was the first day on which washing dried. | There was
    mud, and there was light on the mud. | The wind had turned in the night and smelled of somewhere
    warmer. | Along the sea wall the thrift was coming up pink. | It was one of those mornings in
    April that cannot make up their minds. | The swallows were back, and finding fault with the
    eaves. | All over Wrenmouth people were scraping and painting, and sitting down on what they had
    just painted. | There had been a shower, and now every gutter had something to say. | The last
    of the winter went out with the tide, looking back twice. | The days had grown long enough to
    quarrel in. | It was a soft grey morning, with a hole in it where the sun would be.
summer: It was so hot that the tar came up between the planks of the quay. | The sea lay as flat as
    a sheet that somebody had pulled tight at the corners. | The children had gone into the water in
    June and had not been seen on land since. | It was a blue day, all of it, right down to the
    edges. | Not a breath of wind came in past the Head. | Every door in Wrenmouth stood open, and
    every dog lay across one. | The evening was so light that nobody knew when to begin being tired.
    | There was thunder about, but it was somebody else's. | The visitors had come, and stood on the
    quay in white shoes. | It was too warm to hurry and too fine to stay in. | The gulls sat on the
    roofs with their beaks open. | The bay smelled of weed and rope, and of somebody's jam.
autumn: The mornings had begun to smell of smoke. | There was a high wind, and everything that was
    not tied down was on its way to the schoolhouse. | The visitors had gone, and had left one white
    shoe behind. | It was the season of mist, and of asking who goes there. | The boats came in low,
    with all the silver that they could carry. | Apples had come down from the hill farms, and the
    whole of Ropewalk smelled of them. | It had rained since Sunday, but in a friendly way. | The
    first lamps were lit at tea. | The leaves came down the hill faster than the postman. | The sea
    had changed its colour overnight, like a person who has had a letter. | There was a ring round
    the moon, and everyone had a different reason for it. | It was a bright, cold, hurrying day.
winter: There was frost on the ropes, and they creaked like old men on stairs. | It was dark when
    they got up and dark when they went home, and in between there was soup. | Snow had fallen as
    far as the tide line and had stopped there as if by agreement. | The wind had been round the
    house all night, trying the handles. | The harbour was skinned over with ice as thin as a
    window. | It was so cold that the gulls walked. | Every chimney in Wrenmouth stood under a
    straight white feather. | It was the time of year when people go to see each other chiefly for
    the stove. | A gale had blown for three days, and now it was quiet, and everyone was shouting
    still. | The sun came up late over the Head, looked about, and thought better of it. | There
    were stars at four in the afternoon. | The windows had flowers on them, of the kind that grows
    only on glass.
doing: A boy went by with a ladder, and then with the other end of it. | In the fish market they
    were singing the prices, in two parts. | There was a pram on the chapel steps with a cod in it,
    and nobody seemed to think anything of it. | On the breakwater the harbour master was having
    words with a wave. | Somebody had hung a carpet over the sea wall and was beating it in time to
    the bell. | The doctor's door was open, and through it came the sound of a person saying ah. |
    From the library a single page came sailing, and Hester after it. | Four men were carrying a
    boat up Ropewalk, and a fifth was walking underneath in case of rain. | The flag was going up,
    and down, and up again, since Bram was not satisfied with the folds. | A peddler had come over
    the hill with brushes, and was being told the history of every brush in town. | The milk stood
    on the doorsteps, and a hedgehog was going from one to the next, like a priest. | In the
    boatyard a new keel had been laid, and people came and patted it as they would a horse. | Two
    women were folding a sail in the middle of the road, and the coal cart waited till they had met.
    | Down on the quay they were mending nets and reputations. | The Patience was making her first
    crossing, with a priest, a pig and a wardrobe on board. | Behind the bar of the Blue Kettle the
    landlord, who had not said a word since he came there, was polishing a glass. | Somebody was
    hammering at the boatyard, and somebody else was shouting at the hammering. | The geese of the
    upper town met the geese of the lower town at the pump, and an argument was going on. | On the
    bench by the pump four old men sat in a row and disagreed. | Smoke went up from the bakery, and
    everyone who saw it felt better without knowing why. | At the schoolhouse they were saying the
    rivers, all together, and one voice was saying other rivers. | Fenn's bicycle leaned on the wall
    of the post office, and Fenn leaned on the bicycle. | On the slip two boys were watching a crab,
    and the crab was watching them. | In the window of the net loft a cat was asleep on a chart,
    with its paw on the Azores. | Widow's Lane was white with sheets from end to end, like a fleet
    in harbour. | Nobody was at work who could find a reason not to be. | At the end of the pier a
    man was fishing who had been fishing there as long as anyone could remember, and had never been
    seen to catch a thing. | The harbour master was counting the bollards. There were nine, as there
    had been the day before. | The clocks of the clock shop were striking, one after the other, like
    people getting to their feet. | A schooner lay in the roads, waiting for water. | From the house
    with the green shutters came a scale, going up, and a door, slamming. | The tide was out, and
    had left its things lying about. | In Cooper's Steps they were passing a piano up from hand to
    hand, and resting it on the postman.
meanwhile: Meanwhile, on the ferry, between the one shore and the other: | At about the same time,
    on the wall behind the chapel: | Now in the Blue Kettle, at the table by the window: | It was
    then that two people met at the pump: | On the steps of the harbour office, in the lee of the
    wind: | Elsewhere in Wrenmouth, over a garden wall: | At the far end of the pier there was this
    to be heard: | In the queue at the bakery, meanwhile: | Halfway up Cooper's Steps, getting their
    breath: | Under the big awning, waiting for the rain to pass: | On the bench by the boatyard,
    which had been a boat: | In the reading room, in whispers: | Two heads over one newspaper, on
    the sea wall: | By the stove in the net loft, with wet socks: | On the slip, where there is
    always somebody with nothing to do: | In Widow's Lane, from one doorstep to the other: | Two who
    had met by chance, and had not yet found out why: | Under the clock, which gave them time: | At
    the window of the post office, after it had been shut: | On the chapel steps, on the sunny side:
    | Where the path to the lighthouse begins, and most people turn back: | Over a pot of tea that
    was past its best: | Behind the salt barn, out of sight, though not out of hearing: | Two on the
    sea wall, with their legs hanging down: | Nobody else was on the beach, except for these two:
evening: The lamplighter went his round, and was wished good night nineteen times. | Then the rain
    came on in earnest, and each house drew up its step like a blanket. | In the harbour the boats
    lay side by side and nudged each other, as if one of them had heard something. | There was one
    piece of cake left over, and it lay on the quay under a bowl until morning, with a note: for
    whoever it was. | The church mouse came out, and looked about, and found that it was still
    Wrenmouth. | Late that night a window was opened in Widow's Lane, and somebody laughed, all
    alone, and shut it again. | And the four old men, who had seen all of it from the bench, asked
    one another what had happened. | Under the ice, or the stars, or whatever it was that night that
    lay upon the water, the tide went about its business. | They slept well in Wrenmouth that night,
    all but one, who lay awake for the pleasure of it. | Moths came to the lamp on Gannet Head, and
    went away again, and told the others. | Upstairs somebody was trying to play it on a comb. | By
    the pump two dogs lay down, back to back, so as to see to both ends of the street. | A coat had
    been left hanging on a bollard, and until it grew quite dark people said good evening to it. |
    So the day went down, and the light went round, and Wrenmouth lay in its bed between the hill
    and the water. | The last ferry came in, and Isko tied it up with four turns more than were
    needed. | One after the other the windows went dark, except for the one that was always lit. |
    And the tide, which had been listening at the steps, turned and went out to tell it to the
    others. | Somewhere a door was shut softly, by somebody who was smiling. | Then it grew late,
    and the bell buoy said the hour, in its fashion. | That night it rained a little, but only on
    the roofs of people who were in bed. | The four old men got up from the bench, one after the
    other, and all went home in the same direction, disagreeing. | The landlord of the Kettle put up
    the shutters. He looked for a moment as if he was about to say something, and then he put out
    the lamp. | It was written down that night in the harbour book, between the depth of water and
    the price of coal. | The cat in the net loft turned over and put its other paw on the Azores. |
    And up on Gannet Head the beam went out over the water, and came back, and had found everything
    in its place. | There was a good deal of talk about it in the days that followed, and none of it
    agreed. | By the next day it was a story, and by the end of the week it was a better one. | In
    the bakery the dough was set to rise, for whatever happens, there is a morning after it. | The
    stars came out over the Little Sister, all the usual ones. | A boat went by far out, with one
    light, and whoever was in it saw Wrenmouth, and wondered about it, and was gone. | The geese put
    their heads under their wings, all but one, which was on duty. | For a while there was still a
    voice to be heard on the water, telling it to somebody in another boat. | And if it did not
    happen exactly like that, then it ought to have.
past: the year the ferry froze to the pier | the night the whale came in to look at the lamp | the
    great flood | the fire at the fish market that nobody minded | the summer of the four brass
    bands | the wedding at which the bride rowed
""")

# Two people, U and V. Each scene is told by itself; it must fit any two of them.
INTERLUDES = """
U: Do you ever think about {memory}?
V: Every time it gets quiet.
U: I was there, you know.
V: Everyone was there. I have counted. If all who say that they were there had been there, we should
    have needed a second quay.
U: {U.doubt}
/
U: What are you looking at?
V: Nothing.
U: May I look too?
V: There is enough of it.
NARRATOR: They looked for a time. Far out a sail stood on the line, no larger than a tooth.
U: {U.saying}
V: I was just thinking so myself, only with fewer words.
/
U: If you could be anywhere else, where would you be?
V: On that bench.
U: But that is only forty steps from here.
V: Yes. I have been meaning to go.
U: {U.yes}
/
U: I dreamed about you.
V: What did I do?
U: You came in, you put a fish on the table, and you said that it would not be long now.
V: What would not be long?
U: That is what I asked the fish.
V: {V.alarm}
/
U: It will rain.
V: How do you know?
U: My washing is out.
V: {V.saying}
U: That did not help my washing the last time either.
/
U: They say that it will be a hard winter.
V: They said so last year.
U: And was it?
V: It was rather hard.
U: There you are.
V: But they say it in every year, and in the mild ones nobody goes back to thank them.
/
U: Have you got change for a compliment?
V: That depends on the size.
U: You have been very good to my old aunt.
V: That is too large for me. All I have on me is that your hat is straight.
U: I will take it.
/
U: How long must one live here before they stop calling one the new one?
V: They called me that until somebody newer came. It was a great relief.
U: Who was it?
V: I rather think that it was you.
/
U: I have a bone to pick with you.
V: Is there any meat on it?
U: You told the old men on the bench that you had nothing to do with {memory}.
V: No more I had.
U: You stood behind me the whole time, and hummed.
V: {V.doubt}
/
U: Would you hold this?
V: What is it?
U: Only hold it.
NARRATOR: A quarter of an hour went by.
V: Are you coming back?
NARRATOR: It was a piece of string. The other end went round the corner, and there somebody else was
    holding it, who had also been asked.
/
U: You are sitting in my place.
V: Has it got your name on it?
U: It has, on the underside. I cut it in when I was eight.
NARRATOR: They turned the bench over. There were nineteen names on it, and both of theirs, side by
    side, with the same mistake.
V: {V.joy}
/
U: I cannot sleep any more. I lie there and I count.
V: Sheep?
U: Reasons.
V: You should try it with sheep. They are not interested in you.
U: {U.saying}
/
U: What was the best day of your life?
V: So far?
U: So far.
V: Then I would rather not say, it might be listening, and stop trying.
/
U: Lend me your umbrella.
V: It is not raining.
U: That is why I ask now. Later you will need it.
V: {V.saying}
U: Does that mean no?
V: It means that there is a hole in it.
/
U: Do you believe in ghosts?
V: Only in the ones that I know. There is one in the net loft who sighs.
U: That is the cat.
V: At night?
U: She goes there to be misunderstood.
/
U: I said good morning to the landlord of the Kettle today.
V: And what did he say?
U: Nothing. But he looked as though he had thought of it.
V: It took him eleven years to nod. You cannot hurry a thing like that.
/
U: If I tell you something, will you keep it to yourself?
V: Of course.
U: I do not like mussels.
V: Here? In Wrenmouth?
U: I put them in my pocket. I have done it all my life.
V: {V.alarm}
U: You see why I had to tell somebody.
/
U: Somebody has moved the horizon.
V: Where to?
U: It used to be just above the third post, and now it is just below.
V: You have had your chair mended.
U: {U.alarm}
/
U: You never told me how it ended.
V: What?
U: {^memory}. You told me the beginning, and then the kettle boiled.
V: But that was ages ago!
U: I did not like to press you.
/
U: I have been thinking.
V: I can smell it.
U: Suppose that the tide went out one day and did not come back.
V: Then I would put on my boots and go after it.
U: Would you not be afraid?
V: I would. But I owe it a boat and a wedding ring, and I would like to have a word with it.
/
U: Read me what it says there. I have not got my glasses.
V: It says: no bathing, no singing, no return of bottles.
U: Who would want to return a bottle by singing?
V: There must have been one. There is always one, and then they put up a sign.
/
U: Is this seat taken?
V: Only by my hat.
U: It is a fine hat. Does it want to look at the water?
V: It has seen it. Sit down.
NARRATOR: After that they said nothing at all for an hour, and they both remembered it afterwards as
    a very good conversation.
/
U: Which of the stars is yours?
V: You cannot own a star.
U: I know. But which one?
V: That one. The one that does not quite know how to twinkle.
U: {U.saying}
/
U: I am told that you are the one to ask.
V: About what?
U: They did not say. They only said, ask {V}.
V: Then the answer is yes. It is nearly always yes. It is only the question that people find so
    hard.
/
U: What have you got in the basket?
V: Eggs.
U: And under the eggs?
V: You are not to look under the eggs.
NARRATOR: The basket moved a little, and gave a very small bark.
U: {U.joy}
/
U: You have paint on your chin.
V: I know. I am leaving it there. The children like to have something to tell me.
U: It is green.
V: On Monday it was blue. On Monday I had a very nice talk with eleven people.
/
U: What do you say when somebody has died, and you did not like him?
V: That he had a fine hand with a rope.
U: And if he had not?
V: Everybody has had a rope in his hand once, and everybody has once held on.
/
U: My grandmother used to say that the sea is the only one in Wrenmouth who never repeats a secret.
V: It says the same thing all day long.
U: Yes. But not one of us has ever understood it.
V: {V.saying}
/
U: Do you know what I should like to be?
V: Tell me.
U: Expected. That somebody should look at the clock, and then at the door, and it is on account of
    me.
V: What time shall I say?
/
U: You have got very quiet.
V: I am listening.
U: What to?
V: You were going to say something just now, at the corner by the pump, and then the cart went by.
U: That was yesterday.
V: I have time.
/
U: I have bought a hen.
V: What do you call her?
U: Admiral.
V: And does she lay?
U: She gives orders. I do the rest.
/
U: When I was small I believed that the lighthouse turned the sea on in the morning.
V: And what do you believe now?
U: I have never quite managed to believe the other thing.
V: {V.joy}
/
U: I have lost my temper.
V: When did you have it last?
U: In the queue for stamps. Somebody said that {memory} was nothing so very remarkable.
V: {V.alarm} Who?
U: A visitor.
V: Then we will forgive him. He has to live with not having been there.
/
U: Hold out your hand.
V: What is it?
U: A peppermint. I have carried it since Easter. I was keeping it for a person in need.
V: Do I look as though I were in need?
U: No. But it was beginning to stick.
/
U: Who is that over there, who is waving?
V: I cannot see who it is. Wave back.
U: But I do not know whether he means us.
V: When somebody waves one does not ask for papers. Wave.
NARRATOR: It was only a shirt, on a line. But it waved for the rest of the afternoon, and they went
    on waving too, from time to time.
/
U: They have asked me to make a speech.
V: What about?
U: About three minutes.
V: {V.doubt}
U: I thought that I might begin with thank you, and then stop.
V: That would be the best speech that was ever made in Wrenmouth. They will carry you home.
/
U: I owe you an apology.
V: What for?
U: I would rather not say. You have not noticed it yet.
V: Then put it on the shelf with mine.
/
U: It is said that every seventh wave is larger than the rest.
V: I have counted them.
U: And?
V: At the fifth one I always begin to think about something else.
U: {U.saying}
/
U: May I ask you something personal?
V: I shall see whether I am in.
U: Are you happy?
V: I had not looked. One moment. Yes, on the left, just here. It has been there since breakfast.
/
U: I have written a poem.
V: Is it long?
U: It has four lines, and a fifth that I took out.
V: Let me hear the fifth.
U: How did you know that it was the good one?
V: It is always the one that one takes out, so as not to frighten the others.
/
U: What is the matter with your foot?
V: I stood on a thing.
U: What thing?
V: On my dignity. It gave way.
U: {U.doubt}
/
U: We ought to do something about that gate.
V: We said so in the spring.
U: It squeaks.
V: If it did not squeak, how should we know that somebody was coming?
U: That is what we said in the spring.
/
U: How do you get your roses to grow so near the salt?
V: I tell them that it cannot be done.
U: And then?
V: They are like the people here. {V.saying}
/
U: I saw you last night, on the pier, dancing.
V: That was not me.
U: You had your hat on.
V: It must have been my hat, then. It has been so restless since {memory}.
/
U: Have we met?
V: We have been neighbours for longer than I can remember.
U: I know. But I saw you laugh just now, and I thought, there is somebody whom I should like to
    meet.
V: {V.greet}
/
U: What is it that you keep in that tin?
V: Buttons.
U: Only buttons?
V: There is no such thing as only buttons. This one was at a wedding. This one was nearly at a
    wedding.
/
U: You are late.
V: I went round by the sea wall.
U: That is twice as far.
V: It is three times as far. But this way I was late for something that I had seen.
/
U: Would you teach me to whistle?
V: It cannot be taught. You put your lips together and think of somebody who is too far off to call.
NARRATOR: There was a pause, and then there came a sound like a very small kettle.
V: Whoever it was, he has turned round.
/
U: Why is there a chair on your roof?
V: It was the only place that had a view of it.
U: Of what?
V: Of the spot where the chair used to be. There is such a good light there now.
/
U: I dropped a cup this morning, and it did not break.
V: That happens.
U: I stood there with the broom. I had nothing to do with myself.
V: {V.saying}
/
U: Tell me a thing that nobody knows about you.
V: I say good morning to the ferry.
U: Everybody does that.
V: And it answers.
U: Yes. But nobody talks about it.
/
U: When do you know that a friend is a true one?
V: When he tells you that you have a bit of leek between your teeth.
U: Have I?
V: Since Sunday.
U: {U.alarm}
/
U: They have painted the bench by the pump.
V: What colour?
U: The old men could not agree. It has four colours. Each of them has painted the part that he sits
    on.
V: Then they have agreed.
/
U: I tried to be somebody else today.
V: How did it go?
U: Nobody noticed, until noon. Then somebody thanked me, and I blushed, and they all said: oh, it is
    you.
/
U: What is the opposite of the sea?
V: A drawer.
U: Why a drawer?
V: You can shut it, and you know what is in it.
U: You have never seen my drawers.
/
U: Do you hear that?
V: I do not hear anything.
U: Just so. They have stopped hammering at the boatyard. It is finished, whatever it was.
V: Or somebody has hit a thumb.
NARRATOR: They listened with great attention, and after a time they both took off their hats.
/
U: If I were rich, I should have a room with nothing in it.
V: What would you do there?
U: Go in.
V: You can come to me for that. I have a shelf.
/
U: Every year I mean to learn the names of the birds.
V: What do you call them now?
U: You there.
V: And do they come?
U: They look round. More than that one cannot ask of anyone.
/
U: My watch has stopped.
V: What does it say?
U: Twenty past four.
V: A good time. Tea is over, and nothing has gone wrong yet. I should leave it.
/
U: Have you ever been brave?
V: Once. I took the last bun, with everybody looking.
U: And what happened?
V: I found that they had all been hoping that somebody would. {V.joy}
/
U: There is a hole in your boat.
V: I know. I bore them myself.
U: Whatever for?
V: It is going to be a hen house. Hens like to look out.
/
U: You were talking in your sleep, they say.
V: Who says?
U: The whole of Widow's Lane. You had the window open.
V: And what did I say?
U: You said: a little more to the left. And they all moved a little more to the left.
/
U: I want to complain about the moon.
V: What has it done?
U: Shone in my face the whole night long, as if I had something to tell it.
V: And had you?
U: That is what annoys me.
/
U: It is my birthday.
V: Today? Why did you not say so?
U: I thought that I should like to see how it looked from outside, without the fuss.
V: And how does it look?
U: A little empty. Is it too late for the fuss?
V: {V.yes}
/
U: I see that you have two left gloves on.
V: I gave the right ones away. There was a man on the ferry who had lost two right hands.
U: Nobody has two right hands.
V: That is what I said. He told me that it used to be very useful.
/
U: How do you spell necessary?
V: I never do. I write needful, and go for a walk with the time that I save.
U: {U.yes}
/
U: What will you leave behind, when you go?
V: A coat, a kettle, and a path through the nettles that was not there before.
U: That is a great deal.
V: The nettles will not think so. {V.saying}
/
U: One of my hens can count.
V: How far?
U: I do not know. She always stops when I come in.
/
U: You have been standing there for an hour.
V: I cannot remember whether I was coming or going.
U: Which way were you facing?
V: I have turned round so often in order to think.
U: Then come in. In any case you will have arrived.
/
U: That gull has been looking at me.
V: It is looking at your sandwich.
U: No. I ate the sandwich. It is looking at me as if it knew something.
V: It knows about the sandwich.
/
U: Let us talk about something else.
V: We were not talking.
U: I know. But I did not care for the way it was going.
V: {V.greet}
/
U: Who taught you to tie that?
V: My father did. He taught me one knot for every day, and on Sundays how to undo them.
U: I only ever learned the Sundays.
/
U: What would you do if you could do the day over again?
V: I would get up later, and be kinder to the baker's boy.
U: You could be kind to him tomorrow.
V: Yes. But he will wonder why.
/
U: I went to the other side today.
V: And what is it like?
U: They have a bench, and on the bench there are four old men.
V: Do they agree?
U: With one another? No.
V: Then they are people like ourselves. I always said so, and I was always afraid of it.
"""

# Said at the end of a part by two people who were in it.
CODAS = """
U: Are you coming?
V: In a moment. I only want to look at it a little longer, while it is over.
/
U: Will anyone believe us?
V: We need not tell them. It is enough that there were two of us.
/
U: What shall we do tomorrow?
V: I thought that we might try nothing, and see how far we get.
U: {U.yes}
/
U: I have not laughed so much since {memory}.
V: You did not laugh then. You were underneath.
U: I laughed afterwards.
/
U: You have straw in your hair.
V: So have you.
U: I know. I was hoping that we would both leave it there until we got home.
/
U: Good night.
V: {V.bye}
/
U: Did we learn anything from that?
V: I hope not. I should like to do it again.
/
U: That will be one for the bench.
V: They were saying so already. And one of them said that it had never happened.
/
U: I could have done without the middle.
V: The middle was where I thought of you.
U: {U.joy}
/
U: Did you see the harbour master's face?
V: Which one? He had four.
/
U: We ought to put up a stone.
V: What should it say?
U: It was here. They will know.
/
U: Is there any of that pie left?
V: There is the dish.
U: I have always been fond of a dish.
/
U: What would you call a day like that?
V: I would not call it. I would let it come by itself.
/
U: When I am old I shall tell it quite differently.
V: How?
U: With me in it sooner.
/
U: My feet are wet.
V: Mine too. I did not like to be the first to mention it.
U: How long have we been standing in it?
V: Since it got interesting.
/
U: And nobody thanked you.
V: One person did. I shall not say who. I shall keep it in my pocket, and take it out in February.
/
U: Do you suppose that they have days like this in Port Verity?
V: They have them all. But they have them indoors.
/
U: I take back what I said this morning.
V: All of it?
U: All but the part about your hat.
/
U: If you write it down, put in the weather.
V: I did not notice the weather.
U: Nor did I. Put that in.
/
U: {U.bye}
V: You say that as if you meant to come back.
U: I always come back. I only like to be asked.
/
U: There is one thing more.
V: Yes?
U: No. It can wait. I only wanted there to be one thing more.
/
U: I am hungry.
V: There is always that. {V.bye}
/
U: To think that it was Thursday only this morning.
V: It is Thursday still.
U: {U.alarm}
/
U: Does it always go like this?
V: No. Sometimes it goes wrong.
/
U: I am glad that you were there.
V: I was standing in the way, that is all.
U: Yes. That is what I was glad of.
/
U: I shall put it in a letter to my sister.
V: Does she write back?
U: She writes that I make things up.
/
U: Somebody ought to sweep all that away.
V: Tomorrow. It is rather pretty, with the moon on it.
/
U: {U.bye}
V: Take my lantern.
U: I know the way.
V: So does the lantern, but it likes the company.
/
U: What was it that we set out to do this morning?
V: I was going to buy a stamp.
U: Did you?
V: No. But I know now whom I shall write to.
"""

# Four parts that close the seasons: one thread through the whole year.
ARC = {
    "spring": """
title: A Letter About the Lamp
memory: the day the letter about the lamp came
after: The letter from the Board of Lights hung in the harbour office, face to the wall.
---
NARRATOR: Some letters are light and some are heavy, and it has nothing to do with the paper. Fenn
    carried this one up the hundred and twelve stairs in both hands.
FENN: {fenn_greet} No. I take that back. Only one letter. It has a crown on it.
CORBIN: A crown? I have not done anything. I never do anything. I only light it and put it out.
FENN: Shall I stay?
CORBIN: Please. You read it. I can only read things that are far away.
FENN: "To the Keeper, Gannet Head. The Board of Lights has observed that in ten years no vessel
    above forty tons has entered Wrenmouth after dark. The Board is bound to save oil. Unless cause
    be shown, the light will be put out on the last day of the year."
NARRATOR: A gull came and sat down on the rail, and looked from the one to the other.
CORBIN: Put out. They do not mean in the morning.
FENN: No. I think that they mean for good.
CORBIN: {corbin_alarm}
NARRATOR: It was all over the town before Fenn had reached the bottom stair, and for once he had not
    told a soul. He had only come round the corner, and they had seen his face.
BRAM: This is most irregular. Who has been counting tons behind my back?
ODA: Forty tons! My brother went out in four, and came home by that light for thirty years.
ISKO: I said so. When I was a boy I said that it was too beautiful to last.
WINIFRED: They may put out an opera. I have seen it done. But one does not put out a lamp.
MARGIT: What does it mean, cause be shown?
HESTER: It means that we must prove that it is needed. In writing. I have the dictionary open at the
    place.
JUNO: But that is easy. I need it. It comes round the wall when I am going to sleep, and then I know
    that it is still tonight.
NARRATOR: Nobody laughed. After a while they noticed that everybody had the same thing to say, and
    that it was not the kind of thing which one can put on a form.
PELL: Then we must find another kind. How do you show cause for a lamp?
ABEL: One might count. If they have counted the large ships, then one might count the small ones.
TOMAS: I will count the whales!
BRAM: Order, please. Proposed: that from midsummer on, everything that comes in by that light be
    counted, of whatever size. I shall rule the columns myself. Those in favour?
NARRATOR: There was not one hand on the quay that did not go up, and a paw, and the end of a wing.
CORBIN: I do not know what to say.
ODA: Then eat something, and say it afterwards.
NARRATOR: He went up early that evening. And those who were still about could see that he had
    cleaned the glass, for the light lay on the water like a road, and went on past the bar, and
    past the buoy, to where there was nobody, so far as anyone could tell, who needed it.
""",
    "summer": """
title: The Counting of the Ships
memory: the night they counted the ships
after: The long list lay open in the harbour office, with a stone on it to keep its place.
---
NARRATOR: They counted on the shortest night of the year, because it was the warmest, and because
    Bram had drawn the columns so fine that one could only see them by the light of a clear sky.
    They sat along the sea wall with blankets and flasks, each with a pencil on a string.
BRAM: Watches of one hour. No talking to the ships. Whoever falls asleep is to say so at once.
JUNO: There! There is one! It has a red light!
ISKO: That is my pipe.
JUNO: Put him down anyway. He came in.
HESTER: Under what? He is not a vessel.
ISKO: I have been called worse.
NARRATOR: Toward eleven a smack came in, with mackerel. Then, for a long time, there was nothing,
    and they listened to the nothing, and passed round a pie.
TOMAS: In my grandfather's day they came in so close together that one could walk home on them.
PELL: Did he?
TOMAS: Only the once. He got home at Port Verity.
MARGIT: Hush. Oars.
NARRATOR: It was a rowing boat with two in it who had gone out to look at the moon and had looked
    too long. They were very much surprised to be met by thirty people with pencils.
BRAM: Tonnage?
ODA: Bram, leave them be. It is the Harker girl. Write: one boat, two hearts, no cargo.
BRAM: There is no column for hearts.
WINIFRED: Then rule one, you stick of a man! It is the only thing that they will read.
NARRATOR: And it may have been the hour, or the pie, but the harbour master of Wrenmouth took up his
    ruler, and he ruled one.
ABEL: If that counts, then I should like to report my father. He came in by that light on a night in
    March, forty years ago. He was late. He is the only thing that I have ever known to be late and
    right.
BRAM: Name?
ABEL: Josiah Gorse. One boat, one clock, wrapped in a coat.
ODA: My brother. One hundred and sixty times at the least, and only once not.
NARRATOR: Nobody asked about the once.
MARGIT: Every hull that I ever built. They all had to come home to be paid for.
FENN: The Christmas post in the year of the gale. I was up to here in it, and I steered on the lamp.
CORBIN: I had no idea. I only ever see that the boats come round the point. I do not see who is in
    them.
PELL: And every one that was born on this side, because the midwife lives on that one. Write down
    eighty. Write down a hundred.
JUNO: And me. I came in by it. I was six, and I had a suitcase and a hamster, and my uncle rowed so
    slowly.
ISKO: I did not know what to say to you. I was rowing until I should have thought of something.
NARRATOR: It was growing light. The beam went round, paler and paler, and when the sun came up over
    the Little Sister it went out, as it did every morning. Bram put down the last stroke and
    counted. He counted again.
BRAM: Above forty tons: none. Below: two smacks, one rowing boat, one pipe. And in the new column,
    which has been carried on over the page, three thousand, one hundred and eleven.
HESTER: Three thousand, one hundred and twelve.
BRAM: I have counted twice.
HESTER: You have not put down yourself.
NARRATOR: And he looked out at the water for some time, and then wrote.
""",
    "autumn": """
title: The Inspector
memory: the visit of the inspector
after: People had taken to looking out of the window at the post, and then at Fenn, who shook his
    head.
---
NARRATOR: He was expected on the noon ferry, and so they had hung out flags, and the choir stood
    ready. He came by the hill road on foot, the evening before, and asked the first person whom he
    met for a glass of water.
INSPECTOR: I beg your pardon, madam. Is this the way to the light?
ODA: Everything here is the way to the light. You look tired. Have you eaten?
INSPECTOR: I do not think that I am supposed to.
ODA: Nobody is supposed to. Sit down.
NARRATOR: So it came about that the inspector of the Board of Lights ate three rolls and half a pie
    in the kitchen of the bakery, and that it was only when he opened his bag to pay that she saw
    the crown.
ODA: Oh, butter and brine! And I in my old apron. We had a choir for you.
INSPECTOR: I am glad to have missed it. I mean, I am never told the truth by choirs. What sort of
    man is your keeper?
ODA: He says good night to us. All of us. He does not know that we know.
NARRATOR: At nine he climbed the hundred and twelve stairs, with a notebook, and Corbin stood at the
    top with a sentence that he had been getting ready since April.
CORBIN: Good evening, sir. I had something to say, but it seems to have gone down to meet you.
INSPECTOR: I will pass it on the way back. Please carry on, as though I were not here.
CORBIN: There is not very much to it. One trims it. One winds it. The rest is staying awake.
INSPECTOR: And what do you do while you are staying awake?
CORBIN: I look at the windows. That one is the doctor. That is Hester, she reads until one. When
    they are all out I know that they are well, and when one stays lit I think about who it might
    be.
INSPECTOR: That is not in the instructions.
CORBIN: No. I hope that it does no harm.
NARRATOR: The inspector stood for a long time at the glass. Then he went down into the town, and
    they all came out and gave him the list, the long one, with the new column.
INSPECTOR: What is this here? Hearts?
BRAM: I can explain that. It is irregular, but it is carefully ruled.
INSPECTOR: Three thousand, one hundred and twelve.
BRAM: And thirteen, since Thursday. It was a girl.
WINIFRED: Sir, I have stood before four crowned heads, and I tell you that I never sang to a light
    like that one.
INSPECTOR: I believe you. I believe all of you, that is the trouble. But I have a table, you see,
    with tons on the one side and oil on the other, and the Board has only ever taught me to read it
    from left to right.
JUNO: Could you not read it from the other side, only once?
NARRATOR: He looked down at her, and one could see that nobody had asked him anything of the kind
    since he had been inspector.
INSPECTOR: You shall have the answer by the end of the year. I go back by sea, with the Board's own
    cutter, when I have been to the northern lights. I thank you for the pie.
ISKO: That is that, then. A polite man. It is always the polite ones.
HESTER: He left his notebook. No, he has left a page of it, under the plate.
FENN: What does it say?
HESTER: "Gannet Head. Oil: eleven gallons a month. Keeper: awake."
""",
    "winter": """
title: The Longest Night
memory: the longest night
after: And the lamp on Gannet Head went round.
---
NARRATOR: On the last day of the year the fog came in. It came over the bar at three in the
    afternoon, without a sound, and by four o'clock Wrenmouth was a place where one could hear
    people and not see them. And at five, in the sixth turn of the lamp, there was a crack like a
    breaking plate.
CORBIN: Abel! Margit! Somebody! It has stopped! It burns, but it does not go round!
ABEL: I heard it. I heard it in my teeth. That is the great wheel.
MARGIT: How long?
ABEL: With everything that I have, until morning.
ISKO: Then it is nothing. There is nobody out. I have tied up, the smacks are in. It is the last
    night, and it goes out an hour early, that is all.
NARRATOR: And then they all heard it, a long way off, on the wrong side of the bar. It was a ship's
    bell. It rang as a bell is rung by somebody who does not know where he is.
BRAM: That is no smack. That is a cutter. Sixty tons.
HESTER: The northern lights. He said that he would go back by sea.
NARRATOR: For as long as it takes to draw a breath, nobody in Wrenmouth moved.
ODA: Well, do not stand there. He has not had his supper.
JUNO: The Fog Eater! It does not eat, but it shouts. Two long, one short. He will hear where the
    Head is.
ISKO: Come, child. I will pump.
CORBIN: It is not enough to hear. A light that stands still looks like a star, or a house. They will
    not know that it is us. It has to come and go.
PELL: Then we must make it come and go. What have we got?
WINIFRED: Curtains. I have forty yards of red velvet from the second act of everything.
MARGIT: Poles. Rope. Give me nine people who can keep time.
ABEL: I cannot leave the wheel. But I will call it. One turn in the minute, just as it was. Everyone
    will please listen to me. I do not often ask for that.
NARRATOR: So they went up, all of them, the hundred and twelve stairs, in the dark, with the velvet
    over their shoulders like a river going uphill. They stood round the glass, the doctor and the
    baker, the postman and the fisherman, and they carried the darkness round the lamp with their
    hands.
ABEL: And walk. And walk. And turn. Sixty. And walk.
TOMAS: I was once in the belly of a ...
HESTER: Not now, Tomas.
TOMAS: No. You are right. Not now.
ABEL: And walk. And turn.
NARRATOR: At six the bell was on the far side of the buoy. At seven they could not hear it, and they
    went on walking. At eight it was there again and closer, and Bram, who had gone down to the end
    of the breakwater with a lantern and what had once been the Herring Machine, heard a voice.
INSPECTOR: Ahoy! What light is that?
BRAM: Gannet Head! Who asks?
INSPECTOR: The Board of Lights! Can you take a line?
BRAM: I can do better than that, sir. Mind your hats!
NARRATOR: And the line went over, as far as the cutter and a little further, and was made fast, and
    they brought her in by hand: sixty tons, eleven men, and one inspector in a blanket, who asked
    if there was any pie.
ODA: {oda_joy}
INSPECTOR: It wavered. Your light. It seemed to be breathing. I have seen every lamp on this coast,
    and I never saw one do that.
CORBIN: That was the others, sir. It broke. They walked it round.
INSPECTOR: All night?
CORBIN: It is only eight o'clock. It felt like all night. We should have gone on.
NARRATOR: He looked at them, as they came down off the last stair one by one, with soot on their
    faces and red fluff in their hair. Then he asked for a pen, and for the list, and turned it
    over, and Bram, who saw what he meant to do, held the lamp.
BRAM: Above forty tons: one. After dark. I shall enter it myself.
INSPECTOR: Please do. And in the other column, twelve.
JUNO: So is it going to be put out?
INSPECTOR: My dear young lady, who would put it out? It appears that you can none of you be stopped
    from lighting it.
NARRATOR: At midnight Abel came down with oil to the elbows and said that it went. They stood on the
    quay to see. The fog had thinned, and there it came over the roofs, over the chapel and the pump
    and the house with the green shutters, over the ferry and the geese, and the long white wall
    with the blue tree. It touched each of their faces, and passed on out to sea.
ISKO: Well. That is another year.
JUNO: Was it a good one, Uncle?
ISKO: I would have to think about it.
NARRATOR: And then behind them somebody cleared his throat. It was the landlord of the Blue Kettle.
    He had come out in his apron. He looked up at the light, and round at all of them, and he said,
    quite clearly, in a voice that was much higher than they had expected:
LANDLORD: It is on the house.
""",
}
