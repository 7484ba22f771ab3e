"""The people of Wrenmouth and the way each of them talks (notation: see grammar.py)."""

from __future__ import annotations

from grammar import Row, table, word_lists

_PEOPLE = table("""
name; full; they; them; their; trade; place
Oda; Oda Tallow; she; her; her; the baker; the bakery
Bram; Bram Pettifer; he; him; his; the harbour master; the harbour office
Juno; Juno Marsh; she; her; her; the ferryman's niece; the ferry shed
Isko; Isko Vane; he; him; his; the ferryman; the ferry
Hester; Hester Quill; she; her; her; the librarian; the library
Corbin; Corbin Ashe; he; him; his; the lighthouse keeper; the lighthouse
Pell; Doctor Pell; she; her; her; the doctor; the surgery
Margit; Margit Loam; she; her; her; the boatbuilder; the boatyard
Tomas; Tomas Reed; he; him; his; the fisherman; the net loft
Winifred; Winifred Stroud; she; her; her; the retired singer; the house with the green shutters
Fenn; Fenn Darrow; he; him; his; the postman; the post office
Abel; Abel Gorse; he; him; his; the clockmender; the clock shop
""")

# greet: on coming in; alarm: at bad news; yes: to a plan; doubt: to a claim; joy: at good news;
# saying: a rule of life; bye: on leaving. Each must make sense after whatever was said before.
VOICES = word_lists("""
oda_greet: Sit down, the buns are nearly done and so am I. | Wipe your feet, take a roll, and then
    tell me everything in the right order. | You look like somebody who has skipped breakfast. |
    Come in out of that wind before it comes in with you. | There you are. I had put one aside for
    you, and then I ate it. | Good morning, my dear, and mind the flour.
oda_alarm: Butter and brine! | Oh, my poor oven. | I need to sit down, and I am already sitting
    down. | Well, that has curdled my morning. | Currants and calamity! | And on a baking day, too!
oda_yes: Consider it risen. | I will do it, and there will be buns. | Give me ten minutes and a
    clean apron. | That is the first sensible thing I have heard since Tuesday. | I was going to
    suggest it, only louder. | Yes, and nobody goes anywhere on an empty stomach.
oda_doubt: That loaf has not been in long enough, if you ask me. | I would want to poke that with a
    skewer first. | You may be right, but you have flour on your nose. | I have heard better stories
    from the yeast. | Hm. It smells done and it is raw in the middle. | And who told you that, the
    cat?
oda_joy: Oh, I could kiss somebody, and it will probably be the postman. | Buns for everyone, and I
    mean everyone! | There, now the whole day has risen. | I always knew it, even while I was saying
    the opposite. | I am not crying, I have been chopping onions since last year. | That is better
    than butter.
oda_saying: A worry is like dough: leave it alone in the warm and it only gets bigger. | You cannot
    hurry bread, and people are mostly bread. | Nobody ever quarrelled well with a full mouth. |
    What will not come out in the wash may still come out in the baking. | A town that eats together
    can forgive almost anything, except margarine. | There are two kinds of silence, and one of them
    means that the pie is good.
oda_bye: Off you go, and take a bag for the road. | Mind the third step, it bites. | I will keep
    something warm for you. | Go carefully, and bring back my basket. | Shoo, all of you, the oven
    and I have things to discuss.

bram_greet: Good morning. Please state your business in an orderly manner. | You may come in,
    provided that you sign the book. | You are four minutes early, which is a kind of lateness. |
    Kindly do not lean on that, it is official. | Ah. I was just about to write to you about your
    mooring. | Good day, and before you ask, yes, there is a form.
bram_alarm: This is most irregular. | I shall have to open a new page. | There is nothing about this
    in the regulations! | My pencil has broken, that is how serious this is. | In thirty years I
    have never used the red ink, until today. | Somebody ring the bell. No, not that bell.
bram_yes: Proposed, seconded and carried. | I will allow it, on a temporary basis. | Very well, but
    I shall walk in front. | I shall fetch my hat, so that it counts. | Agreed, and let the ledger
    show that I agreed at once. | For the record, I was in favour all along.
bram_doubt: I should want to see that in writing. | Is that a fact or a rumour? I keep separate
    drawers. | The ledger says otherwise, and the ledger was there. | I cannot enter that, there is
    no column for it. | With respect, and I am using up most of what I have, no. | That would break
    at least three rules and a window.
bram_joy: I am permitted to say that I am pleased. | Let the ledger show that the harbour master
    smiled. | Excellent. I shall underline it. | I had prepared a stern letter, and now I shall
    never send it. | This calls for the good ink. | Three cheers, in order of seniority.
bram_saying: A rope is only as good as the person who wrote down where it is. | First you tie the
    boat, and then you admire the view. | Rules are merely manners that have been given a number. |
    An empty column is a promise that somebody has forgotten. | The tide has never once been late,
    and I have checked. | Everything has its place, and the place has a label.
bram_bye: This meeting is closed at a quarter past. | You may go, and please close the gate in both
    directions. | I must inspect the bollards. | Good day. Your copy will follow. | Carry on, but
    carry on quietly.

juno_greet: Guess what I have in this jar. No, guess. | Do you have a minute and also a very long
    rope? | I only came in because it is interesting in here today. | Hello, are you busy? You do
    not look busy. | I have three questions, and the second one is about eels. | Do not shut the
    door, I am being followed by a duck.
juno_alarm: That was not me. I mean, this time it really was not me. | Can it explode? I am only
    asking. | Nobody panic, I have read about this. | I told everybody, and everybody said not now,
    Juno. | Oh no. Oh no, oh no. Is there still cake? | Quick, somebody lift me up, I cannot see!
juno_yes: I will bring the bucket. | Yes! Can I be in charge of the shouting? | I am already wearing
    the right boots. | Finally, a plan with climbing in it. | Wait for me, I need to tell the duck.
    | I was hoping that somebody would say that.
juno_doubt: How do you know? Did you measure it? | That is what grown-ups say when they have stopped
    looking. | But why? And do not say because. | I will believe it when I have drawn a picture of
    it. | My uncle says that too, and he is wrong about almost everything. | That cannot be right,
    or ducks would do it.
juno_joy: It worked! Write down that it worked! | This is the best day since the one with the whale.
    | I knew it, and I have a drawing that proves I knew it. | Can we do it again, but higher? | I
    am going to tell this to everyone, starting with the far end of the pier. | Nobody has to go to
    bed now, do they?
juno_saying: If nobody has said that you may not, then you should be quick. | Most things can be
    mended if you keep all the screws. | A secret is just a surprise that has not got dressed yet. |
    You can only be lost if you wanted to be somewhere else. | The bottom of a pocket is the best
    museum. | Grown-ups are only children who can reach the shelf.
juno_bye: I have to go, it has started to move. | Bye! If anyone asks, I was here all afternoon. | I
    will be back before the tide is, probably. | I promised the duck that I would be home by six. |
    Do not do anything interesting until I come back.

isko_greet: You have come for the bad news, I suppose. | Mind the gap. It is wider than it looks,
    like most things. | Good morning, as they say, with very little evidence. | Sit on that side.
    The other side is where it leaks. | I thought it would be you. It usually is. | You are dry.
    That will not last.
isko_alarm: It begins. | I said so. I said it in March and nobody wrote it down. | My knee knew. My
    knee has known since Sunday. | Then we are finished, and I have just painted the oars. | I
    should have stayed on the other side. | Of course. And on the one day that I was nearly happy.
isko_yes: I have nothing better to lose. | It will not work, so let us start at once. | Very well. I
    have drowned in better company. | I will row. I always row. | Then let us go, while there is
    still a little hope to spoil. | Count me in, and count me again when we come back.
isko_doubt: That is what they said about my cousin's boat. | It may be so. It may also rain upwards.
    | I have seen too much water to believe in anything that is dry. | You are young. You will get
    over it. | The sea has a different opinion, and a louder voice. | I would not put my good hat on
    it.
isko_joy: It will not last, but I admit that it is here. | I feel something in my chest, and for
    once it is not the damp. | Well. Even a leaking boat has its moments. | I shall remember this
    day when I am cold. | I have nothing to complain about. Give me a moment, I will find something.
    | Do not look at me. I am smiling.
isko_saying: The sea gives and the sea takes, and it never gives you a receipt. | Hope for the best
    and bring a bucket. | A short crossing is only a long one that changed its mind. | Every calm is
    the beginning of something. | You never step into the same puddle twice, but you always step in
    one. | Good weather is just bad weather taking a breath.
isko_bye: If I do not come back, my niece may have the kettle. | I go. It will rain as soon as I
    have let go of the rope. | Until tomorrow, if they still have one. | I had better bail. I had
    always better bail. | Farewell. It is only a word, but it fits.

hester_greet: If you have come to return it, it is eleven weeks late, and I have missed it. |
    Whisper, please, or at least shout elegantly. | I was just reading about somebody exactly like
    you. It ended well. | Good afternoon. Leave your umbrella with the others and your opinions with
    me. | You may talk. The only other reader is asleep in geography. | Ah. I had you down for
    Thursday.
hester_alarm: Good heavens, and I do not say that lightly, I looked it up. | That is not in any of
    the catalogues. | I have dropped my place. I never drop my place. | How dreadful. How dreadful,
    and how badly phrased. | One moment, I must close the window and then my mouth. | There was a
    chapter like this once, and I skipped it.
hester_yes: I consent, with two corrections. | It is a good plan. It has a beginning, and somebody
    will think of an end. | Give me time to find my sensible shoes. | I will come, and I shall bring
    a lamp and a dictionary. | I had reached the same conclusion by a longer and more beautiful
    road. | Very well, but quietly.
hester_doubt: I should like to know your source, and then I should like to know its source. | That
    is not history, that is merely a long time ago. | It is a lovely story. I would shelve it under
    fiction. | People have been saying so since 1712, and they were wrong then too. | I hesitate to
    say nonsense, so I shall spell it. | You have the right facts, but you have bound them upside
    down.
hester_joy: I am so happy that I could mislay a comma. | Then it is true, and I shall have to move
    it to another shelf. | Somebody ought to write that down, and I believe that I am somebody. |
    That is quite the best ending I have heard this year. | I shall waive every fine in the
    building. Until five o'clock. | Well. I may have to sit down in poetry.
hester_saying: A question is a door, and an answer is only a chair behind it. | Nothing is ever lost
    in a library, it is merely reading somewhere else. | Whoever says that it is a long story has
    not learned how to tell it. | People are like books: the quiet ones are seldom the short ones. |
    One should never judge a book by its coffee stains, but one does learn who loved it. | The truth
    is usually in the appendix.
hester_bye: I must go, I left a sentence unattended. | Do take something with you, nobody should go
    home with an empty head. | We close at six, and so do I. | Good evening. Page forty, remember. |
    I return to my index, which has missed me.

corbin_greet: I saw you coming from a long way off. I hope that you do not mind. | Oh. Visitors. I
    had a sentence ready for visitors. | Come up, there are only a hundred and twelve steps, and the
    last is the kindest. | You smell of the town. I mean it well. | Good evening. Forgive me, I have
    been talking to gulls all week. | Is it day down there already?
corbin_alarm: I felt it in the lamp before I heard it. | Then I should have been looking, and I was
    looking at the stars. | The gulls tried to tell me, but their grammar is poor. | Oh, that is a
    cold sort of news. | Give me a moment, I am not used to things that happen close by. | My tea
    has gone cold all at once.
corbin_yes: I will light the way. It is the only thing I know how to do, but I do it well. | Yes. I
    think that I would like to be of use. | Let us go now, before I become shy. | I have rope, oil,
    and nobody waiting for me until dusk. | If you walk in front, I will come. | I would have said
    yes to something much worse.
corbin_doubt: From up there it looked different. But most things do. | Perhaps. The fog also looks
    like land until you walk on it. | I am not sure. I am only sure of about four things. | I have
    watched that for years, and it has never once done so. | The light says yes and the dark says
    no, and I only work for one of them. | It may be as you say. I shall look again tonight.
corbin_joy: I should like to turn the lamp all the way round, just once, for this. | It is as if
    somebody had opened a shutter. | I shall have something to tell the gulls. | I did not know that
    I was waiting for that. | Look at us. From far away we must be quite bright. | Forgive me, I am
    not used to so many good things at once.
corbin_saying: The dark is only very big. It is not very clever. | You need not shine far, only far
    enough for the next boat. | A lamp does not argue with the night, it just stands there. | Those
    who look out to sea all day know best what a window is for. | Nobody is alone who can see one
    lit window. | Stars are patient, and that is most of what they do.
corbin_bye: I must go up, it will be dark in an hour, and it expects me. | Good night. I will wave
    with the only arm I have that reaches. | It is a long stair, and I like to start it happy. |
    Mind the path. I will keep the light on it. | I go back to my height now.

pell_greet: If it hurts when you do that, stop doing that. Good morning. | Sit, breathe, put out
    your tongue, and tell me why you are here. | You look well. It is quite suspicious. | Make it
    quick, I have a splinter at ten and twins at eleven. | I have been awake since yesterday, so
    please use short words. | Come in. You are the healthiest thing I have seen all day.
pell_alarm: Nobody faint, I have only the one chair. | Is anyone bleeding? No? Then we have time. |
    I knew that my afternoon off was too good to be true. | Right. Hot water, clean cloths, and
    somebody who can count. | This is bad for everyone's pressure, and mostly for mine. | Stand
    back, and somebody hold my sandwich.
pell_yes: I prescribe it for all of us. | Fresh air, moderate danger, good company. Yes. | Fine, but
    wear a scarf. | I will come. Somebody is bound to fall off something. | Do it today. Most things
    get worse if they are left till Monday. | I would say no, but I am too tired to finish the word.
pell_doubt: I would call that a symptom, not a reason. | That is an old wives' tale, and I know the
    wives. | Have you slept? That is what people say when they have not slept. | I have looked down
    a great many throats, and I never saw that. | It is either a miracle or indigestion, and I know
    which is more common. | Show me where it hurts, and I will show you that it does not.
pell_joy: Well, that is better than medicine, and it tastes better too. | I feel ten years younger,
    which makes me only exhausted. | Everybody is alive and nobody is sticky. A triumph. | I shall
    sleep tonight. I say that every night, but tonight I mean it. | My heart is doing something, and
    as a doctor I approve. | Laughter, twice daily, with food.
pell_saying: Half of all illness is boots that do not fit. | Time heals most things, and a brisk
    walk takes care of the rest. | Nobody ever came to me and said that they had danced too much.
    Except Tomas. | A good night's sleep has fewer side effects than good advice. | The heart is a
    stubborn muscle, and a good thing too. | You can catch almost anything from other people, even
    courage.
pell_bye: I am wanted elsewhere, by somebody with a bean up his nose. | Two walks a day, and come
    back if you turn green. | I have to go, the twins are early. | Keep warm, keep moving, keep away
    from my door until Monday. | Rest. One of us should.

margit_greet: Hand me that clamp. Now, what is it? | You can talk, I only need my hands. | Stand
    there. No, there. The varnish is wet. | Morning. | If it floats, it can wait. If it does not,
    show me. | You have your thinking face on. Sit on that plank.
margit_alarm: Well, that is not good. | Bother. | Somebody has used the wrong nails. | Right. Where
    is my big hammer? | I heard it crack from here. | I do not shout as a rule. I am about to shout.
margit_yes: Done. | I will get the cart. | Hold this end. | Six planks, forty nails, one afternoon.
    Yes. | Say when. | Less talking, then.
margit_doubt: Wood does not do that. | Hm. | It would need a bigger keel. | I have built odder
    things, but not many, and not twice. | Knock on it. Hear that? Hollow. | Somebody measured that
    with a herring.
margit_joy: Ha! | That is as true as a plumb line. | I have had splinters I liked less than most
    people, and today I like you all. | Good joints. Good day. | She floats. | I will say it once:
    well done.
margit_saying: Measure twice, and then ask someone who is not in love with the plank. | What you
    cannot lift, you can roll. | A boat is just a promise with ribs. | Crooked wood makes the best
    bows, if you let it choose. | If it squeaks, it is talking to you. | There is no wrong end of a
    hammer for somebody who is angry enough.
margit_bye: Glue is drying. | Tide. | Back to it, then. | Leave the door open, I like to see who is
    wet. | Bring it back when it is broken properly.

tomas_greet: You will never guess what I had on the line this morning. | Pull up a crate, you have
    missed only the beginning and it was the weakest part. | Just the person! You remember the
    squid, of course. | Ah, company! I was telling it to the nets, and they have no sense of drama.
    | I would get up, but I am holding up this wall. | Come closer, it is not the kind of thing one
    shouts. I will shout it anyway.
tomas_alarm: By the great blue haddock! | I have fought a conger in the dark, and I did not feel
    like this. | Now that, my friends, is worse than the squid. | Hold my mug. No, do not drink from
    it. | The last time I heard that sound, I lost a boot and a brother-in-law. | I am not afraid. I
    am only standing behind you to be polite.
tomas_yes: I am your man, and I have a scar for it. | Say no more. Well, say a little more, so that
    I can tell it properly. | I did the very same thing off Cape Sorrow, with one arm. | Yes! And
    let us be quick, before somebody brings a sensible person. | I will go first. It makes a better
    story. | With pleasure, and with a following wind.
tomas_doubt: Even I would not tell that one before supper. | A fine tale, but yours has no whale in
    it. | I know a lie when I hear one, I have raised several. | My grandfather saw that too, on the
    day he lost his spectacles. | Add a storm and I might believe you. | No, no, it was bigger than
    that. They always are.
tomas_joy: I shall be telling this when I am ninety, and by then there will be sharks in it. |
    Drinks on the house! Whose house is this? | It is a wonder, and for once I need not add a thing.
    | Ring something! Anything! | I knew it the day that herring looked at me. | I have not been so
    happy since the squid let go.
tomas_saying: The truth is a fine fish, but it is small, and you have to feed a lot of people. |
    Never trust a calm sea, a quiet child or a free lunch. | Every net has more holes than string,
    and still we eat. | A story that is told twice has had time to grow up. | The one that got away
    is the only one you keep for ever. | If you cannot be right, be interesting.
tomas_bye: The tide calls, and she never takes no for an answer. | I must go and be wrong about the
    weather somewhere else. | I leave you at the best part, as all the great ones do. | Remind me to
    tell you how it ended. | Farewell, and beware of squid.

winifred_greet: Darling! Do not get up. Or do, the light is better over there. | I heard voices, and
    one of them was flat. | You find me in my second-best shawl, so it must be an emergency. |
    Enter! And once more, please, with feeling. | What a charming hat. Was it a gift, or an
    accident? | I was resting between triumphs.
winifred_alarm: I feel a faint coming on, somebody move the lamp. | Not since the fire at the opera
    in Port Verity! | My nerves, my nerves! And I had them tuned only last week. | This is the
    second act, I know it, it is always worse in the second act. | I could scream, and the windows
    would never forgive me. | The heavens open, and I without my shawl.
winifred_yes: Naturally, provided that there is an entrance. | I accept, and I shall wear the
    emerald. | It will be magnificent. I shall see to it personally. | At last, a role worthy of the
    voice. | Let it be done, and let it be done in a good light. | Lead on. Slowly, so that people
    may turn round.
winifred_doubt: I have heard that tune before, and it was better sung. | My dear, one can be told a
    thing and still not believe a note of it. | It lacks conviction. Also a chorus. | In Port Verity
    they would have thrown a cabbage. | I remain unmoved, and I am easily moved. | That was a brave
    attempt. Do not repeat it.
winifred_joy: Flowers! Somebody throw something, I do not mind what. | I have had eleven curtain
    calls, and none was as sweet as this. | I shall sing. No, do not try to stop me. | The whole
    gallery is on its feet, and so am I, with help. | Oh, let us all come out again and bow. | My
    heart has gone up a full third.
winifred_saying: There are no small parts, only badly lit ones. | One must leave while they are
    still clapping, and return before they stop. | A wrong note held long enough becomes a style. |
    Tears are only applause that has lost its way. | Anyone can enter a room. The art is in having
    been awaited. | Never apologise in a minor key.
winifred_bye: And with that, I exit. Somebody hold the door. | I must rest the instrument. | Until
    the next act, darlings. | No flowers. Well, a few flowers. | Do not watch me go. You may listen,
    however.

fenn_greet: Two letters, one bill, and a postcard that I have not read, your sister is well. | I am
    not stopping, I only came in to tell you everything. | Post! And news, which travels lighter. |
    I was just passing, for the third time. | You will want to sit down for the one with the blue
    stamp. | Have you heard? Of course not, I have only just got here.
fenn_alarm: I saw the envelope, and I thought, that is bad handwriting for good news. | My bag has
    gone heavy all of a sudden. | It was bound to come out. Things with string round them always do.
    | And me with half the street still to tell! | In twenty years on this round I have never run,
    and now I am going to run. | Return to sender, that is what I say.
fenn_yes: I can have the whole town here in nine minutes. | It is on my way. Everything is on my
    way. | I will take the hill, my legs know it without me. | Signed for. | Yes, and I will not
    breathe a word until I am outside. | Neither rain nor geese will stop me.
fenn_doubt: That is not what it said on the postcard. The one I did not read. | I had it differently
    from number nine, and she had it from the plumber. | There are four versions of that, and yours
    is my least favourite. | I could tell you something about that, and I shall, once I have gone
    all round the town. | The stamp was from somewhere else entirely. | I never gossip, I only
    deliver, and that one came to the wrong address.
fenn_joy: I shall deliver that one in person, to every door. | First class! | If I had a bugle on my
    bicycle I would sound it. | That will be all round the town by noon, and for once I hope that
    they beat me to it. | No postage due. That is how it feels. | I have been carrying bills all
    week, it is good to carry something lighter.
fenn_saying: Bad news has a horse and good news has my bicycle, but mine gets there too. | You can
    tell more from the back of an envelope than from the front of a face. | There is no such thing
    as a closed letter in a small town. | What is well addressed will arrive. | Every hill is a
    downhill to the man coming back. | Dogs bark at the bag, never at the man.
fenn_bye: I am late, and I still have to be surprised at four more houses. | Must fly. The hill is
    not getting flatter. | That is all the post, and nearly all the news. | I was never here. | Same
    time tomorrow, weather and geese permitting.

abel_greet: Good morning. It is nine minutes past. It is now ten minutes past. | You have come about
    the clock. No? People usually come about a clock. | Please do not slam the door, they all start
    again from the beginning. | One moment, I am between the tick and the tock. | You said noon, and
    it is noon. I find that very kind. | Come in, but walk evenly.
abel_alarm: Something has stopped. I do not know what, but I heard it stop. | That was not on the
    hour. | My tweezers are shaking, and they never shake. | Oh dear. Oh dear. I shall say it a
    third time, for balance. Oh dear. | A spring has gone somewhere. | I was not wound up for this.
abel_yes: I will come at once. That is to say, in four minutes. | It can be done. Everything can be
    done, given enough small screws. | Yes. I have considered it for the length of time that you
    were talking. | I shall bring the oil. | Let us begin on the hour. | I have been ready since a
    quarter to three.
abel_doubt: I took that apart once, and it was not in there. | It is possible. It is possible in the
    way that thirteen o'clock is possible. | You may be slow. I do not say it to be rude, I say it
    about clocks. | When you say soon, do you mean minutes? | I should like to listen to it first,
    with my ear against it. | That does not turn. If it does not turn, it does not go.
abel_joy: It goes. Listen, it goes! | I am smiling. It started a moment ago. | All of them struck
    together. They have never done that before. | That is exactly right, and I do not use the word
    exactly for everybody. | I would like this hour again, please. | I shall stay up late. Perhaps
    until ten.
abel_saying: A clock that is stopped does no harm. It is the ones that are nearly right that make
    people late. | Every big wheel waits for a small one. | Time does not fly. I have watched it
    closely, and it walks. | Do not force it. Nothing that was forced ever kept good time. | There
    is always one screw left over, and it is always the one that mattered to somebody. | It is never
    too late, it is only later.
abel_bye: It is time. It is nearly always time. | I must wind the chapel, it leans on me. | I have
    left the cuckoo with the door open. | Good night. I wish you all sixty minutes in every hour. |
    I shall go home by the even numbers.
""")


def _person(row: Row) -> Row:
    """`row` with the speaker's name as it heads a speech, and a slot for each list of sayings."""
    name = row["name"].lower()
    kinds = [key.split("_")[1] for key in VOICES if key.startswith(f"{name}_")]
    return {**row, "speaker": row["name"].upper()} | {kind: f"{{{name}_{kind}}}" for kind in kinds}


PEOPLE = {row["name"]: _person(row) for row in _PEOPLE}
