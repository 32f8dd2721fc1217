"""Words that the generators write texts with, made up for this project."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
NAMES = (
    *("Anna", "Ben", "Carla", "David", "Elena", "Frank", "Greta", "Hugo", "Ines", "Jonas", "Karin", "Leo", "Mara"),
    *("Nils", "Olga", "Paul", "Rita", "Simon", "Tina", "Viktor", "Wanda", "Yuri"),
)
CITIES = (
    *("Basel", "Bergen", "Bologna", "Bristol", "Cork", "Dresden", "Ghent", "Graz", "Lyon", "Malmö", "Porto", "Riga"),
    *("Seville", "Split", "Tampere", "Turin", "Utrecht", "Zadar"),
)
ANIMALS = ("bear", "cat", "dog", "duck", "fox", "goat", "hare", "horse", "lion", "mouse", "otter", "owl", "pig", "wolf")
FRUITS = ("apple", "banana", "cherry", "fig", "grape", "kiwi", "lemon", "mango", "orange", "peach", "pear", "plum")
THINGS = ("basket", "bell", "book", "brush", "chair", "clock", "drum", "hammer", "kettle", "lamp", "mirror", "pencil")
COLORS = ("red", "blue", "green", "yellow", "black", "white", "orange", "purple")
TRADES = ("baker", "carpenter", "dentist", "farmer", "gardener", "nurse", "painter", "pilot", "tailor", "teacher")
