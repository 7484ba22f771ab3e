"""What happens in Wrenmouth: for each kind of story its turns, one after the other.

Turns are parted by `--`, the ways of telling a turn by `/`. A line is `SPEAKER: what is said`; A, B
and C are the people whom a case of story_cases.py names, and `{x.…}` shows that case's own words.
"""

from __future__ import annotations

PLOTS = {
    "lost": """
NARRATOR: {A} came into {B.place} that morning with both pockets turned inside out, and looked
    behind the door, and then behind {B}.
A: {A.alarm} My {x.thing} is gone.
B: Gone where?
A: If I knew where, it would not be gone, it would merely be somewhere.
/
NARRATOR: Anyone could see that something was wrong with {A}. {^A.they} had walked past two open
    doors and a plate of biscuits without stopping, and now {A.they} was on {A.their} knees outside
    {B.place}.
B: Have you dropped something, or are you praying?
A: Both. I have lost my {x.thing}.
B: {B.alarm} Not the one that {x.use}?
A: There is only the one.
/
NARRATOR: The whole of Wrenmouth knows what it sounds like when {A} is looking for something. There
    is a drawer, and then another drawer, and then a long quiet, and then the first drawer once
    more.
B: {B.greet} What is it this time?
A: My {x.thing}. You know the one. It {x.use}.
B: {B.alarm}
--
B: When did you see it last?
A: Yesterday, {just before supper|after the evening post|when the tide turned}. I put it down for a
    moment.
B: Everything that was ever lost was put down for a moment. Whom did you meet?
A: Half the town. It was Thursday.
B: Then half the town must come and turn out its pockets, and the other half must watch.
/
B: Think. Walk through it from the beginning.
A: I got up. I had it. I ate an egg. I had it. I went down to the quay, and there was a crowd,
    because Tomas had caught something with a beard.
B: And did you have it then?
A: I had the egg. I mean, I remember the egg.
B: {B.saying}
A: That does not help me.
B: No, but it passes the time until something does.
/
B: Is it large?
A: It is as large as it has to be.
B: Is it heavy?
A: Only now that it is gone.
B: {B.saying} Come, we will ask at every door, and begin with the ones that have cake.
--
NARRATOR: By noon there were as many theories as people.
C: {C.greet} I hear that your {x.thing} has been stolen.
A: Lost.
C: Stolen sounds better. I say that {x.theory}.
A: {A.doubt}
B: Nobody would do such a thing, not in Wrenmouth. We are too nosy for crime.
/
C: {C.greet} They are saying on the quay that {x.theory}.
A: Who says so?
C: I did, just now, on the quay, and people were very struck by it.
B: {B.doubt}
C: You wait. It is always the one you least expect, and I have stopped expecting anybody.
/
CORBIN: I can tell you this much, it did not go by sea. I was looking.
C: Of course it did not. It is quite plain what has happened. {^x.theory}.
B: {B.doubt}
C: I do not say that I can prove it. I only say that I am right.
--
NARRATOR: So they searched. They searched the net loft, where they found an anchor, a bird's nest
    and a pair of spectacles that had belonged to somebody's grandfather. They searched the ferry
    from end to end, which takes a minute and a half. They looked under the third step of Cooper's
    Steps, which bit them.
B: I have found a spoon.
A: It is not a spoon.
B: I know that it is not a spoon. I only wanted to have found something.
/
NARRATOR: They made a list, and went through the town from the top to the bottom like people combing
    a very large dog. Out came seven odd gloves, a flute, the harbour master's second-best hat, and
    a letter that had been on its way to Ropewalk for four years. What did not come out was the one
    thing they were looking for.
C: {C.saying}
A: Please do not be wise at me. I have not had my tea.
/
NARRATOR: The news went before them, so that by the third house people were already standing at the
    door with their hands full. Was it this? It was not. It was never this. But in that way an egg
    whisk came home to Widow's Lane, and a doll, and the other half of a pair of scissors, and there
    was a good deal of crying and of tea.
B: We are finding everybody's but yours.
A: {A.saying}
--
NARRATOR: It was {C} who stopped, with one foot in the air.
C: Has anyone looked {x.spot}?
A: Why would it be there?
C: Because nobody in their right mind would look there, and we have looked everywhere else.
NARRATOR: They went, and they looked. And there it was, not even trying to hide.
A: {A.joy}
/
NARRATOR: Towards evening, when they had given up and were only walking about, {B} sat down to get a
    stone out of a boot, looked round, and went quiet.
B: {A}. Do not shout. It is {x.spot}.
A: It cannot be.
B: It is, and it looks quite comfortable.
C: {C.joy}
--
A: But how did it get there?
B: I think I can answer that. {x.reason}
C: So nobody stole it.
B: Nobody ever does. It is always only Thursday.
A: I should like to apologise to everyone I looked at this morning.
C: They did not mind. To be suspected is to be thought of, and most of them rather enjoyed it.
/
C: There is one thing that I do not understand.
A: Only one?
C: How it got there on its own.
B: It did not. I remember now. Oh dear. {x.reason}
A: And for this I moved an anchor.
B: I will make it up to you. I do not know how as yet, but there will be raisins in it.
A: {A.joy}
""",
    "animal": """
NARRATOR: It was not yet seven when a noise came out of {A.place} that nobody had ever heard come
    out of {A.place} before. Then the door opened, and {A} came out backwards.
A: {A.alarm} There is {x.animal} in there.
B: There cannot be.
A: I know there cannot be. I told it so, and it {x.doing}.
/
NARRATOR: {A} had left the door open for no longer than it takes to shake a mat. When {A.they}
    turned round, there stood {x.animal}, and it {x.doing}.
A: Shoo.
NARRATOR: It did not shoo. {A} shut the door from the outside and leaned on it.
B: {B.greet}
A: Do not go in. I have a visitor, and it has no manners whatever.
/
A: {A.greet} Do you by any chance know anything about animals?
B: I have an aunt. Why?
A: Because since a quarter past six there has been {x.animal} in {A.place}. I spoke to it quite
    sharply, and it {x.doing}.
B: {B.alarm}
--
B: Whose is it?
A: It did not say.
B: Did it have a collar, or a bell, or a look of belonging to somebody?
A: It had a look of belonging wherever it happened to be. It is standing on my accounts.
B: {B.alarm}
/
NARRATOR: A small crowd came, as small crowds will, and took turns at the keyhole.
B: It has found the biscuits.
A: All of them?
B: It is being quite fair. It has left you the tin.
A: This town was quiet yesterday. I remember it. I complained about it.
/
NARRATOR: The harbour book has no heading for it, and so it stands to this day under Arrivals.
B: Perhaps it has come a long way.
A: Then it will know how to go back.
B: It may be that it has heard good things of you.
A: From whom?
B: {B.doubt} I was only trying to be kind.
--
C: {C.greet} What you need is a firm voice. Stand back.
NARRATOR: {C} went in with a firm voice. There was a short silence, and then a crash, and then {C}
    was among them again with {C.their} hat on back to front.
C: It does not care for firm voices.
B: {B.saying}
C: It does not care for those either. I tried one.
/
B: We could wait until it goes to sleep.
A: And where do I sleep until then?
C: We could all go in together, with a net.
A: You want to throw a net in a room where I keep glass?
C: {C.doubt} In my view you are thinking too much of the glass.
A: I am thinking of very little else.
--
NARRATOR: They tried a rope. They tried a broom, and then a rope tied to a broom. They tried saying
    please. Through it all the guest looked at them kindly, as one looks at children who are busy
    with a puzzle that one solved long ago.
A: We are being laughed at.
B: It is not laughing, that is merely the shape of its face.
/
NARRATOR: The whole of that morning went by in attempts. {B} built a trap out of a lobster pot and a
    bicycle, and caught Fenn. {C} walked round the building three times, talking in a low voice to
    {C.them}self, or possibly to the wall.
FENN: It works, at any rate. Could somebody lift the front wheel?
/
B: It must be hungry. It must be thirsty. It must be lonely.
A: It has eaten my lunch, it has drunk my tea, and now it is sitting on my coat. I do not see what
    more I can do for it.
C: One ought to find out what it wants.
A: It wants to stay.
C: {C.saying}
--
C: Wait. Has anyone thought of {x.lure}?
A: At a time like this?
C: Not for you. For the visitor.
NARRATOR: It was tried, for want of anything better, and a hush fell over Wrenmouth. One step.
    Another step. Out into the sunshine it came, as mild as milk, and followed {C} down the hill
    without a backward glance.
A: {A.joy}
/
NARRATOR: In the end it was settled by {x.lure}. Nobody could say afterwards whose idea it had been,
    though several people did.
B: Slowly. Do not look it in the eye.
C: I am looking it in the ear.
NARRATOR: And so, with dignity, and in its own good time, the visitor came out.
B: {B.joy}
--
NARRATOR: The rest is soon told. {x.end}
A: I have cleaned the place twice, and I still find traces of it in the sugar.
B: Shall you miss it?
A: Certainly not. Though I have noticed that nobody looks up any more when I come in.
C: {C.saying}
/
A: And what becomes of it now?
NARRATOR: That had been arranged by others while they talked. {x.end}
B: It looked happy.
A: It looked full. In animals and uncles that is the same.
C: {C.joy}
""",
    "parcel": """
NARRATOR: The parcel came on the morning ferry. It was {x.parcel}, and where the name should have
    stood the rain had left a small grey cloud.
FENN: {fenn_greet} And then there is this.
A: Who is it for?
FENN: That is what is so nice about it. It could be for anybody.
/
NARRATOR: For once Fenn Darrow did not come in talking. He came in backwards, pulling, and set down
    in the middle of {A.place} an object that was {x.parcel}.
A: {A.alarm} I did not order that.
FENN: Nobody did. I have asked all down the hill. The label has been washed off, all but a W.
A: A W?
FENN: Or an M, if they packed it upside down.
/
ISKO: This is yours, I think. Nobody else would take it.
NARRATOR: And the ferryman put down at the door of {A.place} something that was {x.parcel}, and went
    back to his boat, wiping his hands, like a man who wishes to have had no part in it.
A: {A.alarm} There is no name on it.
FENN: There was one. I can make out the place where it used to be.
--
B: {B.greet} Is it true that there is a parcel?
FENN: I have not told a soul.
B: You told me.
FENN: I told your window. You happened to be behind it.
B: Well, I say that it is {x.first}.
A: {A.doubt}
/
NARRATOR: Before the ferry had turned round there were nine people round the table, and each of them
    had once been expecting something.
B: It rattles.
A: Put it down.
B: It is {x.first}, I would know that rattle anywhere.
C: Nonsense. It smells. Lean over here and smell it. It is {x.second}.
A: {A.doubt}
--
C: According to the law, it should go back.
FENN: Back where? There is nothing on that side either, only a picture of a ship.
C: Then it belongs to the harbour.
A: {A.doubt} It belongs to whoever has been waiting for it.
B: In that case it is mine. I have been waiting all my life, and nobody ever said for what.
/
A: We shall wait until somebody claims it.
NARRATOR: They waited for eleven minutes.
B: I claim it.
A: What is in it?
B: {^x.second}.
A: You said a moment ago that it was {x.first}.
B: It is a large parcel.
--
NARRATOR: At last they did what should have been done at first, and fetched a pair of scissors. {C}
    was given the honour, having the steadiest hand and the loudest opinions.
C: Stand back. There is paper. There is more paper. Somebody was very fond of paper.
B: And under the paper?
NARRATOR: Under the paper lay {x.content}.
/
NARRATOR: In the afternoon the string, which had heard enough, gave way by itself. The sides fell
    open like the petals of a plain brown flower, and all of them leaned in so quickly that their
    heads knocked together. Inside lay {x.content}.
A: {A.alarm}
B: Well, I was close.
A: You were nowhere near.
/
A: I cannot bear it. Whoever it belongs to will have to forgive me.
NARRATOR: One corner was lifted, and then, since a corner is neither one thing nor the other, the
    rest. Nobody breathed, until there lay before them {x.content}.
C: {C.joy}
B: I do not understand it. Who would send that?
A: Somebody who had thought about it for a long time.
--
C: There is a note. It says: "{x.note}"
NARRATOR: It was quiet for a while in {A.place}.
A: So it is for {x.owner}.
FENN: And I have carried it past that door twice today. I shall go at once, and I shall ring the
    bell as if it were any other morning.
/
A: Hush, there is writing on the inside of the paper.
B: Read it out.
A: "{x.note}" That is all.
B: Then I know whose it is, and so do you. It is for {x.owner}.
A: {A.saying}
FENN: I will take it. It is what the bag is for.
--
NARRATOR: {x.ending}
FENN: In all my years I have never known what was in one, not officially.
A: And how was it?
FENN: Better than not knowing. I had not expected that.
/
NARRATOR: {x.ending}
B: I am a little sorry that it was not mine.
A: You had the guessing. That was the larger half.
B: {B.saying}
""",
    "contest": """
NARRATOR: The notice went up on the harbour wall on a Monday, in Bram's best hand: {x.contest}, on
    Saturday at noon, judging by {C}, no pushing. By Tuesday there were two names on it, and the
    second was pressed so hard into the paper that it came out on the other side.
A: {A.greet} I see that you have entered.
B: I enter every year.
A: There has never been one before.
B: Then I shall have entered every year.
/
NARRATOR: Nobody knew who had first thought of {x.contest}. It may have been Winifred, who likes to
    hand out cups, or Bram, who likes to draw up rules. But everyone knew who would win, and the
    trouble was that half of them knew {A} and half of them knew {B}.
A: I am only doing it for the pleasure.
B: So am I. It will be a great pleasure to beat you.
--
A: May one ask what you are bringing?
B: One may not. It is nothing. It is merely {x.entry_b}.
A: {A.doubt}
B: And you?
A: Oh, a trifle. Only {x.entry_a}.
B: {B.alarm}
/
NARRATOR: All that week there was hammering, or the silence that is worse than hammering. {A}'s
    friends let it be known that there would be {x.entry_a}. {B}'s friends said nothing, but they
    smiled, and by Thursday it was all over town that {B} was at work on {x.entry_b}.
C: As the judge I have not heard any of this. What was the middle part?
/
B: Is it true that you are making {x.entry_a}?
A: Who told you?
B: You did. You shouted it across the market.
A: I was talking to myself. I am rather deaf on that side. And you?
B: {^x.entry_b}. But pray do not let it worry you.
A: {A.saying}
--
FENN: I carried something up the hill for {B} today, and it hummed.
A: What sort of hum?
FENN: Confident.
A: {A.saying} I had better start again from the beginning.
/
FENN: I have it on good authority that {A} is using {A.their} grandmother's method.
B: Which grandmother?
FENN: The strict one.
B: {B.alarm} Then I shall have to use the good spoon.
--
NARRATOR: Saturday came, with flags. {C} went along the table twice, with {C.their} hands behind
    {C.their} back, and the whole of Wrenmouth went along behind, with its hands in its pockets.
C: I see here a great deal of work.
A: Thank you.
C: I see here also a great deal of glue.
B: That is where the heart is.
/
NARRATOR: At noon on Saturday {C} stood up on a fish crate and rang a spoon against a cup.
C: Ladies, gentlemen, ducks. I have been offered nine bribes, and I have eaten seven of them, and
    they have not changed my mind. Let us look.
A: I shall not look. Somebody tell me what {C.they} is doing with {C.their} eyebrows.
/
NARRATOR: At half past eleven on the Saturday there was nobody in any house in Wrenmouth, apart from
    the cat in the net loft. {C} put on a pair of clean gloves.
A: Good luck.
B: And to you. I mean it. I did not mean to mean it, but I find that I do.
C: {C.greet} Silence, please. I am about to have an opinion.
--
NARRATOR: And then it happened. {x.twist}
A: Oh no.
B: Oh dear.
C: {C.alarm}
/
NARRATOR: What followed took no longer than a sneeze. {x.twist}
B: Did you see that?
A: I saw it. I should like to have seen it coming.
C: Nobody move. The judge is thinking.
--
C: I have come to a decision. The cup goes to {x.winner}.
NARRATOR: There was a silence, in which a gull was heard to swallow. And then somebody began to
    clap, and it was {A}, and the next was {B}.
A: It is fair.
B: It is the only thing about this week that is.
A: Would you show me how you did the middle?
B: If you show me how you did the edges.
/
C: Under rule six, which I have just written, the cup goes to {x.winner}.
A: {A.joy}
B: And I was worried about you.
A: I was worried about you! I have hardly slept.
B: Next year we might do it together.
A: Against whom?
B: We shall find somebody. {B.saying}
""",
    "feud": """
NARRATOR: Until that week {A} and {B} had been friends for {twenty years|thirty winters|half a
    lifetime}, and then {x.cause}.
A: You might say that you are sorry.
B: I might, if I were.
A: Then I have nothing more to say to you.
B: Good. Nor have I, and I shall say it every day.
/
NARRATOR: It began with a small thing, as big things do. {^x.cause}.
A: I saw that.
B: There was nothing to see.
A: I saw nothing, then, and I shall remember it for ever.
NARRATOR: And from that hour the two of them did not exchange a word.
--
A: Fenn, would you tell {B} that {B.they} may keep the ladder.
FENN: {^B.they} is standing next to you.
A: Is somebody there? I see only a coat.
B: Fenn, would you say to the person who sees a coat that this coat at least has been brushed.
FENN: I charge by the word for this, you know.
/
NARRATOR: They sat back to back at the Blue Kettle. They crossed the street when there was nothing
    on the other side. When {A} hung out a blue shirt, {B} took in a blue shirt and hung out a red
    one.
C: How long will this go on?
B: I have food for a year.
C: {C.saying}
B: Say that to the other one.
/
JUNO: I have drawn a line down the middle of the quay, in chalk, so that it is fair. {A} is to walk
    on this side and {B} on that.
C: And in the rain?
JUNO: In the rain they will have to remember it.
NARRATOR: It rained. And from the harbour office one could see two umbrellas go by, each of them
    keeping most carefully to its side of a line that was no longer there.
--
C: I have come from {B}. {^B.they} says that you started it.
A: Tell {B.them} that a person who {x.jab} has no business with the word start.
C: I cannot carry that. It has edges. I will tell {B.them} that you are well.
A: I am not well!
C: I will tell {B.them} that, then. It comes to the same.
/
C: Could you not shake hands?
A: I have nothing against shaking hands. It is the arm behind it, and who is at the end of the arm.
C: You miss {B.them}.
A: I miss the quarrels that we used to have, before this one. They were so comfortable.
C: {C.saying}
/
NARRATOR: {C} went to and fro between them, with messages, and on the way {C.they} took out the hard
    words and put in others.
C: {^A.they} says that {A.they} has been thinking of you.
B: What did {A.they} really say?
C: That you are a person who {x.jab}. But {A.they} said it thoughtfully.
B: {B.doubt}
--
NARRATOR: It might have gone on until they were both very old. But one morning {x.event}.
C: {C.alarm} It needs two. It needs two who know each other's hands.
NARRATOR: There was no time to look for two others.
/
NARRATOR: Then came the day on which {x.event}. {C} was the first to see it, and shouted, and of all
    the doors in Wrenmouth only two flew open at once.
C: You two! Quickly! You can be angry afterwards.
--
A: Take that end.
B: I have that end. Take your own.
A: Left. Your left!
B: I know which left, I have known your left since we were nine!
NARRATOR: And when it was over they sat down side by side on the wet stones, too tired to remember
    on which side each of them was supposed to sit.
/
B: Pull!
A: I am pulling. You always say pull when I am pulling.
B: Because you always stop when I do not say it.
NARRATOR: It was the longest talk they had had for a month. When all was safe they found that they
    were laughing, and neither of them could have said who had begun it.
--
A: About that other matter.
B: What other matter?
A: I forget. It had to do with {x.trifle}.
B: I brought you one. I have had it in my pocket for two weeks, and it has not been good for it.
A: {A.joy}
/
NARRATOR: The next morning there stood before {B}'s door, without a note, {x.trifle}. And by noon
    there stood before {A}'s door exactly the same.
A: You have sent it back!
B: That is not yours. That is mine. I had the same idea.
A: {A.saying}
B: I have missed that. I never knew what it meant, but I have missed it.
""",
    "machine": """
NARRATOR: For three days there had been sparks behind the ferry shed, and on the fourth day Juno
    came out with soot on her nose and threw open both doors.
JUNO: It is finished. Ladies and gentlemen and Uncle, I give you {x.machine}.
A: And what does it do?
JUNO: It {x.purpose}. It would be easier to say what it does not do, but I have not found that out
    yet.
/
JUNO: Please do not touch the red handle. Or the other red handle.
A: I had come to borrow a bucket.
JUNO: The bucket is part of it now. This is {x.machine}. Nobody needs to work ever again, because it
    {x.purpose}.
A: {A.alarm}
JUNO: People always say that just before something good.
/
NARRATOR: Something stood in the middle of Ropewalk under a bed sheet. It was larger than a cow and
    smaller than a chapel, and now and then it dripped.
JUNO: Are you all here? I will only say this once, because then I shall be too excited. This is
    {x.machine}. It {x.purpose}.
B: {B.doubt}
JUNO: Uncle said that too, and he gave me his second-best bilge pump all the same.
--
B: {B.greet} Is it safe?
JUNO: It is safe for everyone who is standing where I am standing.
B: And the rest of us?
JUNO: You are the experiment.
A: {A.doubt}
/
A: Where did you get the parts?
JUNO: Found them. Lent them. Most of it is the old pump, and some of it is a pram, and that bit is
    from your shed, but you were not using it, because it was under something.
B: What I should like to know is how it stops.
JUNO: That is a very good question. I shall put it on the list.
--
NARRATOR: A lever was pulled. For a moment nothing happened, and several people began to look sorry.
    Then it gave a cough, and shook itself, and ran.
JUNO: It goes! It goes!
A: It does go, I will give you that. It goes {beautifully|like a choir|like a Sunday}.
/
NARRATOR: They gathered at a distance that they thought safe, and then, because it began to hiss, at
    another. Juno counted down from ten, left out four, and pulled.
JUNO: There! You see? Nobody believed me, except for the duck.
B: {B.joy}
--
NARRATOR: And so it did, for nearly a minute. But then {x.wrong}.
A: Turn it off!
JUNO: I am turning it off. It thinks that I mean more.
B: {B.alarm}
/
NARRATOR: It must have been the second handle. At any rate, before anyone could take off a hat,
    {x.wrong}.
B: Is it meant to do that?
JUNO: No. But look how well it does it!
A: Everyone behind the wall. Not that wall, that is the one it is coming through.
/
JUNO: You see that needle? As long as the needle is not in the red, nothing can happen.
A: It is in the red.
JUNO: It likes it there. It is only when it goes out at the other side of the red that one ought to
    ...
NARRATOR: What one ought to do was not to be heard, for {x.wrong}.
B: {B.alarm}
--
NARRATOR: When quiet had come back, and the last wheel had rolled down to the water and fallen in,
    Juno sat on the step with her chin on her fists.
JUNO: It was a bad machine.
A: It was a very good machine. It was only a bad day for it.
JUNO: {juno_doubt}
B: {B.saying}
/
JUNO: I am never going to make anything again.
A: That is what I said after my first, and it sank.
JUNO: What did you do?
A: I found out why. It took me nine years, and I would not give back one of them.
JUNO: I have not got nine years. I have to be in bed at eight.
--
C: {C.greet} Wait. Start it again, but only half as hard.
JUNO: Why?
C: Because {x.use}.
NARRATOR: They looked at one another, and then, one after the other, they looked at the machine.
JUNO: {juno_joy}
/
NARRATOR: It was {C} who saw it, as it is often the one who comes too late who sees what the others
    have only been looking at.
C: Forgive me, but {x.use}.
A: Say that again.
C: I would rather not. I am afraid of my own idea.
JUNO: {juno_joy}
""",
    "stranger": """
NARRATOR: On the noon ferry came {x.who}, carrying {x.luggage}, and stood on the quay as people
    stand who have come to the right place many years too late.
A: {A.greet}
STRANGER: Good day. I am looking for {x.sought}.
A: Here?
STRANGER: I hope so. I have been everywhere else.
/
NARRATOR: A stranger in Wrenmouth is seen by eleven people before touching the ground. This one was
    {x.who}, carrying {x.luggage}, and walked straight up to {A} as if they had an appointment.
STRANGER: Excuse me. Where would I find {x.sought}?
A: {A.doubt}
STRANGER: I was told that people here would say that.
/
A: You look as if you were looking for somebody.
STRANGER: Is it so plain?
NARRATOR: It was {x.who}, who had walked up from the ferry with {x.luggage} and had now come for the
    second time to the end of the street.
A: We have only the one street to be lost in. Whom do you want?
STRANGER: It is not a whom. It is {x.sought}.
A: {A.alarm}
--
B: What did {A} send you to me for?
STRANGER: I was told that you know everything that ever happened in this town.
B: Flatterer. Sit down. What do you have to go on?
STRANGER: Only this. {x.clue}
B: {B.alarm} Say that again, and slowly.
/
A: Have you nothing else to go by?
STRANGER: One thing. {x.clue}
A: That was before my time. We had better ask {B}. {^B.they} remembers things that have not even
    happened.
B: {B.greet} I heard that, and it is true.
--
NARRATOR: So the three of them went about the town together, and the town came too. They asked at
    the chapel, and at the pump. They knocked at the house of the oldest woman in Wrenmouth, who was
    asleep, and then at the house of the second oldest, who was her mother.
C: {C.greet} Who is this?
B: A stranger, looking for {x.sought}.
C: {C.doubt}
STRANGER: It is good of you all to look so hard for something in which you do not believe.
/
STRANGER: Perhaps I ought to go back. The ferry leaves at six, they said.
B: The ferry leaves when Isko has finished complaining, which gives us until half past.
C: Think. What else did they tell you, when you were small?
STRANGER: That there was always a light on. That somebody used to hum.
C: {C.saying}
/
B: We have asked at eleven houses. At nine of them they gave you cake.
STRANGER: They were very kind. They all told me that it was before their time, and then they told me
    about their time.
C: {C.greet} I hear that somebody is looking for {x.sought}. My mother used to speak of it, when she
    was cross. She said: you might as well look for that.
B: Then it was here!
C: {C.doubt}
--
NARRATOR: It was growing late when {B} stood still in the middle of the road, so that Fenn had to
    ride his bicycle into a hedge.
B: I am a fool. I have walked past it every day. Come with me.
NARRATOR: And there, {x.found}.
/
NARRATOR: The lamp on Gannet Head was lit. The gulls went home in twos and threes. And just when
    nobody was looking for anything any more, it turned up, as such things do: {x.found}.
STRANGER: Oh.
A: Take your time.
STRANGER: I have taken forty years. Give me one more minute.
--
STRANGER: {x.story}
NARRATOR: Nobody said anything. Even Tomas did not say anything, and he drew breath twice.
B: {B.saying}
/
C: So that is what you came for.
STRANGER: Yes. {x.story}
A: Will you stay for supper?
STRANGER: I do not know anyone here.
A: You know everyone here. We have been walking behind you all day.
--
NARRATOR: {x.ending}
A: I was sorry to see that boat go round the point.
B: They come back, the ones who have found something. It is the others who do not.
C: {C.bye}
/
NARRATOR: {x.ending}
C: And to think that you nearly sent them to the other side.
A: I did not say no. I only said it in a doubtful voice.
B: {B.joy}
""",
    "secret": """
NARRATOR: It was Fenn who first noticed that something was going on with {A}. {^x.sign}.
FENN: I say nothing. I merely mention it.
B: {B.doubt}
FENN: And that is not all. {^x.other}.
B: {B.alarm}
/
FENN: Have you seen {A} lately?
B: Only from behind, walking quickly.
FENN: That is what I mean. {^x.sign}.
B: People have their ways.
FENN: And {x.other}. Is that a way?
B: No. That is something.
/
B: You have been to see {A}? How did {A.they} seem to you?
C: Busy. When I came in {A.they} sat down on something, and it squeaked.
FENN: It all fits. {^x.sign}. I have it from a dairymaid and a dog.
B: {B.saying}
FENN: And what is more, {x.other}.
--
B: {B.greet} You look tired, {A}.
A: I sleep very well, thank you. I sleep all night, at home, in bed, with both eyes.
B: I only said that you looked tired.
A: And I only answered. Is that the time? I must go, I have to be somewhere that is not important.
/
C: There is one way to find out. We ask {A.them}.
B: That would be rude. Let us follow {A.them} instead.
NARRATOR: And that evening three hats could be seen above the wall of the boatyard, moving along
    like three gulls on a string.
C: {^A.they} has stopped. {^A.they} is looking round. Be a barrel.
B: I am being a barrel.
/
C: Let us be sensible. What do we know?
B: What Fenn knows.
C: And what does Fenn know?
B: Nothing, but he knows it from two windows.
C: Then we must look in at the window.
B: We are not that sort of people.
NARRATOR: They were that sort of people. But there was a curtain, and it had been drawn with care.
--
C: I have thought about it all night, and there is only one answer. {^A.they} {x.guess}.
B: {A}? {^A.they} cannot even keep a straight face at cards.
C: It is always those. {C.saying}
/
NARRATOR: By then the whole town was talking about it, in the way it had, without moving its lips.
    At the pump it was said that {A} {x.guess}. At the fish market they had heard as much and added
    to it.
WINIFRED: It is plainly love. I have sung it in four languages.
B: {B.doubt}
--
NARRATOR: In the end {B} could bear it no longer, and knocked, and walked in without waiting. And
    there stood {A}, as red as a buoy.
A: {A.alarm} You were not to see it yet.
B: See what?
A: Shut the door. Well, now that you are here. The truth is that {x.truth}.
/
NARRATOR: They came upon {A} by lantern light, and for a moment nobody could find a word.
C: We thought that you {x.guess}.
A: I? {A.doubt}
B: Then what is all this?
A: I wanted it to be a surprise. The fact is that {x.truth}.
--
B: And we were being barrels.
A: I saw you. I thought that it was something to do with the festival.
C: Can we help?
A: You can hold your tongues until {x.day}.
C: All of us? In Wrenmouth?
A: I know. But one ought to ask for great things.
/
C: {C.joy}
A: You must not tell anyone.
B: My dear, everyone has known for a week that there is something. Now they will only have to change
    what it is.
A: Then tell them something else. Tell them what you thought. I rather like it.
--
NARRATOR: And {x.day} came. {x.ending}
A: Was it all right?
B: It was so all right that Isko had something in his eye, and there was no wind.
/
NARRATOR: For once the secret kept, and kept well, until {x.day}. {x.ending}
B: I shall never suspect anybody of anything again.
C: Have you seen what Abel has been buying?
B: No. What?
""",
    "repair": """
NARRATOR: On {Tuesday|Friday|the first of the month}, a little after {eight|nine|two}, {x.thing}
    stopped working. At first nobody noticed. Then everyone did, all at once, as one notices a step
    that is not there.
A: {A.alarm} It {x.symptom}.
B: Has it ever done that before?
A: It has never not done what it does before.
/
A: Come quickly, and bring the bag. It is {x.thing}.
B: What is the matter with it?
A: It {x.symptom}.
B: Since when?
A: Since I looked away. I looked away once in eleven years.
B: {B.saying}
--
NARRATOR: It was remarkable how little could be done in Wrenmouth without {x.thing}. {x.trouble}
C: {C.alarm}
A: We are seeing to it.
C: You are looking at it. That is not the same.
/
C: {C.greet} I only wished to say that we cannot go on like this. {x.trouble}
A: We know.
C: I merely say it so that it has been said.
B: If you would step out of the light, it might sooner be unsaid.
/
BRAM: I have put up a notice. It says that {x.thing} is out of order.
A: They can see that it is out of order.
BRAM: Now they are permitted to. {x.trouble}
C: {C.saying}
B: Would somebody hold the lamp, who is not talking?
--
B: Hand me the small one. No, the smaller one. No, that is my spectacles.
A: What do you see?
B: I see that somebody mended this long ago with a hairpin, and did it well. It is not that.
A: The spring?
B: The spring is asleep. It is not that.
A: What, then?
B: {B.doubt}
/
NARRATOR: They took it apart on a sheet, and laid the pieces in rows, in the order in which they
    came. When all the rows were full they looked at them from one end and then from the other.
A: Is that all of it?
B: That is all of it, and all of it is good. There is nothing wrong with any part.
A: Then why does it not go?
B: I have known families like that.
/
A: How long have you been under there?
B: What day is it?
A: Come out and have some soup.
B: I cannot come out. I have my thumb on something, and I do not know what it will do when I take it
    off.
A: {A.saying}
B: Then bring me the soup, and a spoon with a long handle.
--
NARRATOR: A day went by, and then another. On the third {A} put {A.their} ear to it, for no reason
    but affection, and stayed like that.
A: There is something in there.
B: There is always something in there. It is full of parts.
A: Something that is not a part. Bring the lamp.
NARRATOR: And so they found it. {x.cause}
/
C: Might I say something foolish?
B: It is a free country, and we have tried everything clever.
C: Has anybody looked at the part that always works?
NARRATOR: They had not. They looked, and found it. {x.cause}
A: {A.joy}
--
B: I have nothing in the bag for that.
A: What would you need?
B: Somebody else's opinion.
NARRATOR: They asked everyone in town, which is how one mends a thing in Wrenmouth. {x.fix}
/
A: What does one do in such a case?
B: One sends for a man from Port Verity.
A: How long would that take?
B: Six weeks, and then he shakes his head.
C: {C.saying}
NARRATOR: What then happened is still spoken of at the boatyard with respect. {x.fix}
--
NARRATOR: Somebody held the lamp, and somebody held their breath, and {B} gave it the least little
    push.
B: {B.joy}
A: It sounds different.
B: It sounds mended. That is how things sound that have been through something.
/
A: Now?
B: Now.
NARRATOR: It went. It went as though it had never thought of anything else, and all over the town
    people looked up, and then down again, and went on with what they were doing.
C: Nobody is saying thank you.
B: Nobody says thank you to a thing that works. That is how you know.
""",
    "rumour": """
NARRATOR: It was a quiet morning, and there was no harm in it. {A} stood at the counter of {B.place}
    and said to {B}, over {A.their} shoulder, on the way out:
A: {x.remark}
NARRATOR: That was all. But the door was open, and Fenn was on the other side of it, and there was a
    wind.
/
A: {x.remark}
B: Is that so?
A: It is. Well, I must be going. {A.bye}
NARRATOR: So it was said, and so it was heard, and if it had been left there, nothing would have
    come of it. But in the corner, behind the newspaper, sat half of the bench by the pump.
--
FENN: {fenn_greet} You did not hear it from me, but {x.first}.
C: {C.alarm} Who says so?
FENN: {A}. As good as. I was as near as I am to you, though there was a door.
/
FENN: Psst.
C: I beg your pardon?
FENN: Have you heard? {^x.first}.
C: No!
FENN: I am only telling you because you are the sort of person who would have found out anyway.
C: {C.bye}
--
NARRATOR: And {C} went by the shortest way to the net loft.
C: Tomas! Put down that net. Have you been told that {x.second}?
TOMAS: {tomas_alarm} I knew it. I did not know it, but I had the feeling.
C: You are not to repeat it.
TOMAS: I never repeat. I only retell.
/
NARRATOR: From the post office it went up Cooper's Steps, and at each step it grew a little.
C: They say on good authority that {x.second}.
WINIFRED: {winifred_alarm} And nobody thought of telling me? I might have worn something.
C: I am telling you now.
WINIFRED: It is too late. I am in beige.
/
NARRATOR: In the net loft it was dark, and smelled of tar and of secrets.
C: Tomas, are you alone?
TOMAS: There is a cod here, but he is past telling.
C: Then listen. It is said, and not by me, that {x.second}.
TOMAS: {tomas_alarm} Now that you mention it, I have seen signs.
C: What signs?
TOMAS: I shall have to think. Give me until I am round the corner.
--
NARRATOR: At four o'clock it reached the harbour office, out of breath and twice its size.
TOMAS: Bram, you had better sit down. It is certain now. {^x.third}.
BRAM: {bram_alarm} And I have not so much as a form for it!
TOMAS: What shall we do?
BRAM: We shall do what one always does. We shall put out chairs.
/
ISKO: I took nine people across today, and they all told me the same thing, and no two of them told
    it alike.
JUNO: What did they say, Uncle?
ISKO: That {x.third}. I always knew that it would come to this.
JUNO: {juno_doubt}
--
NARRATOR: By evening there was a crowd on the quay, with lanterns, blankets and a cake. And into the
    middle of it, with a basket on {A.their} arm, walked {A}.
A: {A.greet} Is somebody getting married?
B: You ought to know! It was you who started it.
A: I? What did I say?
/
NARRATOR: They came to {A}'s door in a body, and knocked, and took off their hats.
B: We are all very sorry, or very glad. We could not agree which.
A: {A.alarm} What for?
B: For what you told us. That {x.third}.
A: I have not told anybody anything since Tuesday!
--
A: Good gracious. What I said was that {x.truth}.
NARRATOR: One after the other they turned and looked at the person behind them, until the last of
    them looked round, and there was only the sea.
FENN: I did say that there was a door.
B: And what are we to do with the cake?
A: Eat it, I should think. {A.saying}
/
A: Oh, you geese. I said that {x.truth}. It was not even interesting.
C: It was by the time it got to me.
BRAM: I move that nothing has happened.
WINIFRED: But I have put on the emerald!
A: Then let us have a party for nothing. I have been to worse ones for something.
C: {C.joy}
""",
    "swap": """
NARRATOR: {A} wanted {x.want}. {^A.they} had wanted it ever since {x.since}, and {A.they} had
    exactly {x.have} to pay for it.
B: That is not enough.
A: I know that it is not enough. I only wonder for what it would be enough.
B: {B.saying}
/
A: How much is {x.want}?
B: More than you have.
A: You do not know what I have.
B: I can see it from here. You have {x.have}.
A: It is very good of its kind.
B: Then take it to somebody who has none. {B.bye}
--
NARRATOR: So {A} took {x.have} and set out. The first door was that of Margit Loam.
A: Do you need this?
MARGIT: {margit_greet} Hm. I could use that. I have nothing to give for it, though, but {x.one}.
A: Done.
NARRATOR: And {A} went on, feeling that business was quite easy.
/
NARRATOR: It is said that everything in the world is wanted by somebody. {A} had gone no further
    than the pump when Doctor Pell came round the corner and stopped short.
PELL: Is that yours? I have been looking for one all week.
A: What would you give me for it?
PELL: Sleep, if I had any. What I have is {x.one}. It was left to me by a patient. He is quite well,
    he only left it.
A: {A.yes}
--
C: What have you got there?
A: {^x.one}. I got it for {x.have}.
C: {C.doubt}
A: And what do you have that you do not want?
C: Nothing. Well. There is {x.two}. It was my aunt's, and it looks at me.
NARRATOR: They shook hands on it, and each of them walked away a little faster than usual, for fear
    that the other would notice.
/
A: You would not by any chance need {x.one}?
C: That depends. Would you by any chance need {x.two}?
A: What does one do with it?
C: I have no idea. I have been waiting eleven years for somebody to ask.
A: {A.saying}
C: Does that mean yes?
--
NARRATOR: Now there was in the whole of Wrenmouth one person who had need of {x.two}, and that was
    Winifred Stroud, who did not know it yet.
WINIFRED: {winifred_greet} What is that? No, do not tell me. I must have it.
A: It is not cheap.
WINIFRED: Nothing is, that one must have. I offer you {x.three}.
A: Add a song, and it is yours.
/
TOMAS: Stop! Do not move. Is that what I think it is?
A: It is {x.two}.
TOMAS: My grandfather had one, and he was happy all his life until he sold it. Name your price.
A: What is that behind you?
TOMAS: That? That is only {x.three}. Take it, before I begin to think.
A: {A.joy}
--
NARRATOR: And so, as the lamp was being lit on Gannet Head, {A} stood once more before {B}, with
    {x.three}.
B: {B.alarm} Where did you get that?
A: I started with {x.have}, and I went for a walk.
B: {x.verdict}
/
NARRATOR: {A} was out of breath, and had straw in {A.their} hair, when {A.they} set down at {B}'s
    feet {x.three}.
A: Is that enough?
B: {x.verdict}
A: I only ask because it was heavy.
--
NARRATOR: {x.ending}
B: Are you happy with it?
A: I was happier on the way. I did not know it then, I was carrying too much.
C: {C.saying}
/
NARRATOR: {x.ending}
C: So what was it all worth, in the end?
A: Ask the others. Everybody got what they wanted, and nobody paid.
C: That cannot be right.
A: No. But it was done so quickly that nobody noticed.
""",
}
